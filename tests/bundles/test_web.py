"""Ports and readiness paths of web bundles, as they are asked for at an install."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.bundle_files import which, write_archive

from roost.bundles import InstalledBundle, read_bundle
from roost.errors import BadInput, BadPort
from roost.models import BundleKind, InstallRequest, SourceKind


def install(root: Path, request: InstallRequest) -> InstalledBundle:
    return read_bundle(
        request,
        workspace="team",
        bundles_dir=root / "bundles",
        python=sys.executable,
        which=which,
    )


def web(**changes: Any) -> InstallRequest:
    given: dict[str, Any] = {"command": ("/bin/sh",), "kind": BundleKind.WEB} | changes
    return InstallRequest(SourceKind.COMMAND, **given)


@pytest.mark.parametrize(
    ("asked", "port"),
    [
        ({}, None),
        ({"port": 0}, None),
        ({"port": 8080}, 8080),
        ({"port": 65535}, 65535),
        ({"env": {"PORT": "8080"}}, 8080),
        ({"env": {"PORT": "0"}}, None),
        ({"env": {"PORT": ""}}, None),
        ({"env": {"PORT": "8080"}, "port": 8080}, 8080),
    ],
    ids=str,
)
def test_a_port_is_fixed_or_any_free_one(
    tmp_path: Path, asked: dict[str, Any], port: int | None
) -> None:
    definition = install(tmp_path, web(**asked)).definition
    assert definition.port == port
    assert "PORT" not in definition.env, "the port in it is Roost's to choose"


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_a_number_that_is_no_port_is_refused(tmp_path: Path, port: int) -> None:
    with pytest.raises(BadPort):
        install(tmp_path, web(port=port))


@pytest.mark.parametrize("text", ["3000abc", "70000", "-1", "8 080", "٨٠", "0x50"])
def test_text_that_is_no_port_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadPort):
        install(tmp_path, web(env={"PORT": text}))


def test_two_different_ports_are_refused_and_none_is_guessed_at(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"PORT says 8080 .* 8081"):
        install(tmp_path, web(env={"PORT": "8080"}, port=8081))


def test_a_readiness_path_is_kept_as_it_is_and_the_root_stands_in_for_none(tmp_path: Path) -> None:
    assert install(tmp_path, web()).definition.ready_path == "/"
    found = install(tmp_path, web(ready_path="/healthz?deep=1")).definition
    assert found.ready_path == "/healthz?deep=1"


@pytest.mark.parametrize("path", ["", "healthz", "/a b", "/a\r\nHost: x", "/ä", "http://x/"])
def test_what_no_request_can_ask_for_is_no_readiness_path(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadInput, match="readiness path"):
        install(tmp_path, web(ready_path=path))


@pytest.mark.parametrize("asked", [{"port": 8080}, {"port": 0}, {"ready_path": "/x"}], ids=str)
def test_a_bundle_that_is_no_web_app_has_neither(tmp_path: Path, asked: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="web bundles only"):
        install(tmp_path, web(kind=BundleKind.COMMAND, **asked))
    archive = InstallRequest(SourceKind.MCPB, path=str(write_archive(tmp_path / "a.mcpb")), **asked)
    with pytest.raises(BadInput, match="web bundles only"):
        install(tmp_path, archive)
    package = InstallRequest(SourceKind.PYPI, requirement="a==1", **asked)
    with pytest.raises(BadInput, match="web bundles only"):
        install(tmp_path, package)


def test_the_port_variable_of_a_plain_command_is_its_own(tmp_path: Path) -> None:
    request = web(kind=BundleKind.COMMAND, env={"PORT": "3000abc"})
    assert install(tmp_path, request).values == {"PORT": "3000abc"}
