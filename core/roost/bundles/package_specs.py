"""Names and versions of packages, as npm and PyPI write them."""

from __future__ import annotations

import re

_NPM_NAME = r"(?:@[a-z0-9~_.-]+/)?[a-z0-9~_][a-z0-9~_.-]*"

_NPM_SPEC = re.compile(rf"(?P<name>{_NPM_NAME})(?:@(?P<spec>[A-Za-z0-9.^~<>=*|+_-]+))?")
_NPM_EXACT = re.compile(r"=?v?\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?")
_PYPI_SPEC = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
    r"(?P<extras>\[[A-Za-z0-9._, -]+\])?"
    r"\s*(?:@\s*(?P<at>[A-Za-z0-9.!+_-]+)"
    r"|(?P<spec>(?:[<>=!~]=?=?\s*[A-Za-z0-9.*!+_-]+)(?:\s*,\s*[<>=!~]=?=?\s*[A-Za-z0-9.*!+_-]+)*))?"
)
_PYPI_EXACT = re.compile(r"={2,3}\s*[A-Za-z0-9][A-Za-z0-9.!+_-]*")


def npm_requirement(text: str) -> tuple[str, str] | None:
    """Return name and version (empty for none) of a package of npm's registry, or None."""
    match = _NPM_SPEC.fullmatch(text)
    return None if match is None else (match["name"], match["spec"] or "")


def is_exact_npm_version(spec: str) -> bool:
    return _NPM_EXACT.fullmatch(spec) is not None


def pypi_requirement(text: str) -> tuple[str, str, str] | None:
    """Return name, extras and version specifier of a package of PyPI, or None."""
    match = _PYPI_SPEC.fullmatch(text.strip())
    if match is None:
        return None
    spec = f"=={match['at']}" if match["at"] else (match["spec"] or "")
    return match["name"], match["extras"] or "", "" if spec == "==latest" else spec


def is_exact_pypi_version(spec: str) -> bool:
    return _PYPI_EXACT.fullmatch(spec) is not None


def normal_name(name: str) -> str:
    """Return the name of a Python package as the registry compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
