"""Packages of PyPI and npm become definitions, with or without a version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roost.bundles import read_bundle
from roost.bundles.install_place import InstalledBundle
from roost.bundles.packages import needs_lookup, package_to_find
from roost.errors import BadInput
from roost.models import InstallRequest, Runtime, SourceKind

PYPI, NPM = SourceKind.PYPI, SourceKind.NPM


def read(tmp_path: Path, source: SourceKind, requirement: str, **given: Any) -> InstalledBundle:
    request = InstallRequest(source, requirement=requirement, **given)
    return read_bundle(
        request,
        workspace="w",
        bundles_dir=tmp_path,
        python="/opt/python",
        which=lambda name: f"/usr/bin/{name}",
    )


def test_a_pinned_package_of_pypi_needs_no_look_up(tmp_path: Path) -> None:
    found = read(tmp_path, PYPI, "mcp-server-time==2026.10.19", command=("--x",))
    definition = found.definition
    assert (found.name, definition.version) == ("mcp-server-time", "2026.10.19")
    assert definition.command == "${prepared}/bin/mcp-server-time"
    assert definition.args == ("--x",)
    assert not needs_lookup(definition)
    assert package_to_find(definition) is None


@pytest.mark.parametrize("requirement", ["server", "server>=1,<2", "server[cli]", "server==1.*"])
def test_an_unpinned_package_of_pypi_is_looked_up(tmp_path: Path, requirement: str) -> None:
    definition = read(tmp_path, PYPI, requirement, script="serve").definition
    assert definition.version == "" and needs_lookup(definition)
    wanted = package_to_find(definition)
    assert wanted is not None
    assert (wanted.registry, wanted.requirement) == (PYPI, requirement)
    assert wanted.program == "serve"


@pytest.mark.parametrize(
    ("requirement", "version"),
    [("@scope/server", ""), ("@scope/server@1.2.3", "1.2.3"), ("@scope/server@^1", "")],
)
def test_a_package_of_npm_is_looked_up_for_its_program(
    tmp_path: Path, requirement: str, version: str
) -> None:
    found = read(tmp_path, NPM, requirement, command=("a",))
    definition = found.definition
    assert definition.runtime is Runtime.NODE and definition.version == version
    assert needs_lookup(definition)
    wanted = package_to_find(definition)
    assert wanted is not None
    assert (wanted.registry, wanted.name, wanted.program) == (NPM, "@scope/server", "server")
    assert (wanted.requirement, wanted.args) == (requirement, ("a",))


@pytest.mark.parametrize(
    ("source", "requirement"),
    [
        (PYPI, ""),
        (PYPI, "a b"),
        (PYPI, "-r requirements.txt"),
        (PYPI, "a @ https://example.org/a.whl"),
        (PYPI, "../a"),
        (PYPI, "a; python_version<'4'"),
        (NPM, ""),
        (NPM, "../a"),
        (NPM, "--global"),
        (NPM, "git+https://example.org/a"),
        (NPM, "a@npm:b"),
        (NPM, "a@https://example.org/a.tgz"),
        (NPM, "@scope"),
        (NPM, "a b"),
    ],
)
def test_what_is_no_package_of_a_registry_is_refused(
    tmp_path: Path, source: SourceKind, requirement: str
) -> None:
    with pytest.raises(BadInput, match="is not a package of"):
        read(tmp_path, source, requirement)


@pytest.mark.parametrize("script", ["../x", "a b", "", "-x"])
def test_a_program_is_only_a_name(tmp_path: Path, script: str) -> None:
    with pytest.raises(BadInput, match="name of a program"):
        read(tmp_path, NPM, "server", script=script)
