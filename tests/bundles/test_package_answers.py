"""What package managers answer is read into facts, and their failures into errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roost.bundles.package_answers import failure_of, read_installed, read_npm_view
from roost.errors import PackageNotFound, Unavailable


def version(number: str, **changes: Any) -> dict[str, Any]:
    return {"name": "@a/server", "version": number, "bin": {"run": "./dist/i.js"}} | changes


def test_one_version_is_read_with_its_programs() -> None:
    found = read_npm_view(json.dumps(version("1.0.0")))
    assert found is not None
    assert (found.name, found.version) == ("@a/server", "1.0.0")
    assert found.programs == {"run": "dist/i.js"}
    assert found.program("server") == "run"


def test_of_several_versions_the_one_tagged_latest_is_chosen_where_it_fits() -> None:
    several = [version(each, **{"dist-tags": {"latest": "1.1.0"}}) for each in ("1.1.0", "1.2.0")]
    latest = read_npm_view(json.dumps(several))
    newest = read_npm_view(json.dumps([version("1.0.0"), version("1.2.0")]))
    assert latest is not None and latest.version == "1.1.0"
    assert newest is not None and newest.version == "1.2.0"


def test_a_program_given_as_one_path_has_the_name_of_the_package() -> None:
    found = read_npm_view(json.dumps(version("1.0.0", bin="cli.js")))
    assert found is not None and found.programs == {"server": "cli.js"}


@pytest.mark.parametrize("path", ["../../x.js", "/etc/x.js", "a/../../x.js", ""])
def test_a_program_outside_its_package_is_none(path: str) -> None:
    found = read_npm_view(json.dumps(version("1.0.0", bin={"run": path})))
    assert found is not None and found.programs == {}


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "no json", '{"error": {}}', "[1]", "3"])
def test_an_answer_without_a_version_is_none(text: str) -> None:
    assert read_npm_view(text) is None


def test_several_programs_none_of_that_name_is_no_choice() -> None:
    found = read_npm_view(json.dumps(version("1.0.0", bin={"a": "a.js", "b": "b.js"})))
    assert found is not None
    assert found.program("server") is None and found.program("a") == "a"


def test_an_installed_package_tells_its_version_and_scripts(tmp_path: Path) -> None:
    info = tmp_path / "my_server-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my_server\nVersion: 2.0\n\nText")
    bare = read_installed(tmp_path, "My-Server")
    assert bare is not None and bare.programs == {}
    scripts = "[console_scripts]\nServe = my_server:main\n[other]\nx = y\n"
    (info / "entry_points.txt").write_text(scripts)
    found = read_installed(tmp_path, "My-Server")
    assert found is not None
    assert (found.version, found.programs) == ("2.0", {"Serve": "my_server:main"})
    (info / "entry_points.txt").write_text("not an ini file")
    broken = read_installed(tmp_path, "My-Server")
    assert broken is not None and broken.programs == {}
    assert read_installed(tmp_path, "other") is None
    assert read_installed(tmp_path / "nowhere", "other") is None


@pytest.mark.parametrize(
    "said",
    [
        "npm error code E404",
        "npm error code ETARGET",
        "ERROR: No matching distribution found for x==9",
        "Because x was not found in the package registry",
        "Because there is no version of x==9 and you require x==9",
    ],
)
def test_an_unknown_package_is_not_found(said: str) -> None:
    error = failure_of("npm", "x", said)
    assert isinstance(error, PackageNotFound) and "'x'" in error.message


@pytest.mark.parametrize(
    "said",
    [
        "npm error code ECONNREFUSED",
        "Retrying (Retry(total=0)) NewConnectionError\nNo matching distribution found for x",
        "error: Request failed after 1 retry\n cause: error sending request for url",
    ],
)
def test_an_unreachable_registry_is_not_taken_for_an_unknown_package(said: str) -> None:
    error = failure_of("npm", "x", said)
    assert isinstance(error, Unavailable) and "does not reach its registry" in error.message


def test_other_failures_are_told_without_the_credentials_of_a_registry() -> None:
    error = failure_of("pip", "x", "boom at https://me:hunter2@pypi.example/simple")
    assert isinstance(error, Unavailable)
    assert "boom" in error.message and "hunter2" not in error.message
