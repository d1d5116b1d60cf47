"""What package managers answer when they are asked for a package, read into plain facts."""

from __future__ import annotations

import configparser
import json
import re
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from roost.bundles.package_specs import normal_name
from roost.errors import PackageNotFound, RoostError, Unavailable

_UNREACHABLE = re.compile(
    r"ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|ERR_SOCKET|EHOSTUNREACH"
    r"|NewConnectionError|ProxyError|ConnectTimeout|ReadTimeout|NameResolutionError|SSLError"
    r"|Max retries exceeded|Retrying \(Retry|error sending request|Failed to fetch|Request failed"
    r"|CERT_|CERTIFICATE|dns error|operation timed out"
)
_UNKNOWN = re.compile(
    r"\bE404\b|\bETARGET\b|No match(?:ing version)? found|No matching distribution found"
    r"|was not found in the package registry|there (?:is|are) no versions? of"
    r"|No solution found when resolving"
)
_USER_IN_URL = re.compile(r"://[^/\s@]*@")
_LAST_WORDS = 200


@dataclass(frozen=True, slots=True)
class FoundPackage:
    """One version of a package, as its registry has it."""

    name: str
    version: str
    programs: dict[str, str]
    """Programs it brings by name; for npm with their files, relative to the package."""

    def program(self, wanted: str) -> str | None:
        """Return the name of the program: the wanted one, or the only one; None if it has none."""
        if wanted in self.programs:
            return wanted
        return next(iter(self.programs)) if len(self.programs) == 1 else None


def read_npm_view(text: str) -> FoundPackage | None:
    """Read the answer of `npm view NAME name version bin dist-tags --json`.

    Returns:
        None when no version of the package fits.
    """
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    versions = [each for each in (answer if isinstance(answer, list) else [answer]) if each]
    if not versions or not all(isinstance(each, dict) and "version" in each for each in versions):
        return None
    chosen = _npm_choice(versions)
    return FoundPackage(str(chosen["name"]), str(chosen["version"]), _npm_programs(chosen))


def _npm_choice(versions: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the version that npm would install: the one tagged latest where that fits."""
    tags = versions[-1].get("dist-tags")
    latest = tags.get("latest") if isinstance(tags, dict) else None
    return next((each for each in versions if each["version"] == latest), versions[-1])


def _npm_programs(version: dict[str, Any]) -> dict[str, str]:
    found = version.get("bin")
    if isinstance(found, str):
        found = {str(version["name"]).rpartition("/")[2]: found}
    if not isinstance(found, dict):
        return {}
    files = {str(name): str(path).removeprefix("./") for name, path in found.items()}
    return {name: path for name, path in files.items() if _is_inside(path)}


def _is_inside(path: str) -> bool:
    return bool(path) and not path.startswith("/") and ".." not in path.split("/")


def read_installed(folder: Path, name: str) -> FoundPackage | None:
    """Read a Python package that was installed into an otherwise empty folder."""
    for info in sorted(folder.glob("*.dist-info")):
        metadata = HeaderParser().parsestr((info / "METADATA").read_text(errors="replace"))
        if normal_name(metadata["Name"] or "") == normal_name(name):
            return FoundPackage(name, str(metadata["Version"]), _console_scripts(info))
    return None


def _console_scripts(info: Path) -> dict[str, str]:
    try:
        text = (info / "entry_points.txt").read_text(errors="replace")
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
        parser.read_string(text)
    except (OSError, configparser.Error):
        return {}
    return dict(parser["console_scripts"]) if parser.has_section("console_scripts") else {}


def failure_of(manager: str, package: str, output: str) -> RoostError:
    """Return the error that fits what a package manager said when it failed."""
    if _UNREACHABLE.search(output):
        return Unavailable(
            f"{package} was not looked up: {manager} does not reach its registry; check this "
            "machine's network and the daemon's proxy variables, then try again",
            package=package,
        )
    if _UNKNOWN.search(output):
        return not_found(manager, package)
    said = _USER_IN_URL.sub("://", " ".join(output.split()))[-_LAST_WORDS:]
    return Unavailable(
        f"{package} was not looked up: {manager} failed with {said!r}; correct that and try again",
        package=package,
    )


def not_found(manager: str, package: str) -> PackageNotFound:
    return PackageNotFound(
        f"{manager} finds no package {package!r} in its registry that fits this machine; correct "
        "its name or version",
        package=package,
    )
