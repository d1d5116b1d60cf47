"""MCP servers over HTTP: what may be installed, and what every start of one brings."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.bundle_files import which

from roost.bundles import InstalledBundle, config_hash, read_bundle, render
from roost.errors import BadInput, BadPort, BadUrl
from roost.models import BundleKind, InstallRequest, Launch, LaunchContext, SourceKind
from roost.models.handover import handover_obstacle

CONTEXT = LaunchContext(home="/home/ann", state_dir="/state", base_env={"PATH": "/usr/bin:/bin"})

URL = "https://mcp.example.com/mcp"


def install(root: Path, request: InstallRequest) -> InstalledBundle:
    return read_bundle(
        request,
        workspace="team",
        bundles_dir=root / "bundles",
        python=sys.executable,
        which=which,
    )


def elsewhere(**changes: Any) -> InstallRequest:
    given: dict[str, Any] = {"url": URL} | changes
    return InstallRequest(SourceKind.URL, **given)


def listening(**changes: Any) -> InstallRequest:
    given: dict[str, Any] = {"command": ("/bin/sh",), "kind": BundleKind.MCP_HTTP} | changes
    return InstallRequest(SourceKind.COMMAND, **given)


def started(found: InstalledBundle, port: int | None = None) -> Launch:
    return render(found.definition, found.values, replace(CONTEXT, port=port))


def test_a_server_elsewhere_has_an_address_and_nothing_to_run(tmp_path: Path) -> None:
    found = install(tmp_path, elsewhere())
    assert found.name == "mcp-example-com" and found.definition.is_elsewhere
    launch = started(found)
    assert (launch.argv, launch.url, launch.address, launch.headers) == ((), URL, URL, {})


def test_headers_are_credentials_and_are_filled_in_at_each_start(tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer tok-1", "X-Log-Level": "debug", "X-Api-Key": "k"}
    found = install(tmp_path, elsewhere(headers=headers))
    fields = {field.key: (field.title, field.sensitive) for field in found.definition.fields}
    assert fields == {
        "Authorization": ("Authorization", True),
        "X_Log_Level": ("X-Log-Level", False),
        "X_Api_Key": ("X-Api-Key", True),
    }
    assert "tok-1" not in repr(found.definition) + repr(found)
    launch = started(found)
    assert launch.headers == headers and "tok-1" not in repr(launch)
    lacking = render(found.definition, {"X_Api_Key": "k"}, CONTEXT)
    assert lacking.headers == {"X-Api-Key": "k"}, "a header without a value is left out"


@pytest.mark.parametrize("value", ["a\nb", "a\r\nHost: b", "a\x00", "über"])
def test_a_value_that_no_header_can_carry_is_refused_without_being_shown(
    tmp_path: Path, value: str
) -> None:
    with pytest.raises(BadUrl) as refused:
        install(tmp_path, elsewhere(headers={"X-Key": value}))
    assert value not in refused.value.message
    found = install(tmp_path, elsewhere(headers={"X-Key": "fine"}))
    with pytest.raises(BadUrl, match="the header X-Key"):
        render(found.definition, {"X_Key": value}, CONTEXT)


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Content-Type",
        "ACCEPT",
        "Mcp-Session-Id",
        "mcp-method",
        "Transfer-Encoding",
        "Last-Event-ID",
        "X Key",
        "X:Key",
        "",
        "X\n",
        "Ключ",
    ],
)
def test_a_name_that_is_none_or_the_protocols_own_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadUrl):
        install(tmp_path, elsewhere(headers={name: "v"}))


def test_a_header_given_twice_is_refused_and_alike_names_keep_fields_of_their_own(
    tmp_path: Path,
) -> None:
    with pytest.raises(BadUrl, match="twice"):
        install(tmp_path, elsewhere(headers={"X-Key": "a", "x-key": "b"}))
    found = install(tmp_path, elsewhere(headers={"X-Key": "a", "X_Key": "b"}))
    assert started(found).headers == {"X-Key": "a", "X_Key": "b"}


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "mcp.example.com",
        "ftp://host/mcp",
        "file:///etc/passwd",
        "https://",
        "http://:80/",
        "https://host:99999/",
        "https://host:0/",
        "https://host/a b",
        "https://host/#x",
        "https://host/\n",
        "https://[::1/mcp",
        "https://hóst/mcp",
        "unix:///run/x.sock",
    ],
)
def test_what_is_no_address_of_a_server_over_http_is_refused(
    tmp_path: Path, url: str | None
) -> None:
    with pytest.raises(BadUrl):
        install(tmp_path, elsewhere(url=url))


@pytest.mark.parametrize("url", ["https://me:hunter22@host/mcp", "https://hunter22@host/mcp"])
def test_a_name_and_password_in_the_address_are_refused_for_a_header(
    tmp_path: Path, url: str
) -> None:
    with pytest.raises(BadUrl, match="header Authorization") as refused:
        install(tmp_path, elsewhere(url=url))
    assert "hunter22" not in refused.value.message


@pytest.mark.parametrize(
    "url",
    [
        "https://host/mcp?api_key=abc123",
        "https://host/mcp?token=x",
        "https://host/mcp?a=1&key=b",
        "https://host/s/Zk93jslDk2039fkdlsmw/mcp",
        "https://host/mcp?x=0123456789abcdef",
    ],
)
def test_an_address_that_holds_a_key_is_a_credential_itself(tmp_path: Path, url: str) -> None:
    found = install(tmp_path, elsewhere(url=url, name="app"))
    assert found.definition.url == "${user_config.URL}" and url not in repr(found)
    (field,) = found.definition.fields
    assert field.sensitive and field.required and found.values == {"URL": url}
    launch = started(found)
    assert launch.url == url and launch.address == "${user_config.URL}" and url not in repr(launch)
    with pytest.raises(BadUrl):
        render(found.definition, {"URL": "ftp://host"}, CONTEXT)


def test_an_ordinary_query_stands_in_the_address(tmp_path: Path) -> None:
    url = "https://host/mcp?team=docs&v=2"
    assert install(tmp_path, elsewhere(url=url)).definition.url == url


@pytest.mark.parametrize(
    "changes",
    [
        {"command": ("sh",)},
        {"env": {"A": "b"}},
        {"port": 80},
        {"directory": "/"},
        {"ready_path": "/x"},
        {"python": "python3"},
    ],
    ids=str,
)
def test_a_server_elsewhere_gets_nothing_that_is_for_processes(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(BadInput):
        install(tmp_path, elsewhere(**changes))


def test_a_command_listens_where_the_sdks_do_unless_it_says_otherwise(tmp_path: Path) -> None:
    found = install(tmp_path, listening(headers={"X-Key": "k"}, env={"MODE": "x"}))
    assert found.definition.port is None and not found.definition.is_elsewhere
    launch = started(found, 4711)
    assert launch.url == launch.address == "http://127.0.0.1:4711/mcp"
    assert launch.argv == ("/bin/sh",) and launch.headers == {"X-Key": "k"}
    assert (launch.env["PORT"], launch.env["MODE"]) == ("4711", "x")
    assert "X_Key" not in launch.env
    own = install(tmp_path, listening(url="http://localhost:${port}/x", directory="/tmp"))
    assert started(own, 4711).url == "http://localhost:4711/x" and started(own, 1).cwd == "/tmp"


@pytest.mark.parametrize(
    ("changes", "port"),
    [
        ({"url": "http://127.0.0.1:8000/mcp"}, 8000),
        ({"url": "http://127.0.0.1:8000/mcp", "port": 8000}, 8000),
        ({"url": "http://127.0.0.1/mcp"}, 80),
        ({"port": 8080}, 8080),
        ({"env": {"PORT": "8080"}}, 8080),
    ],
    ids=str,
)
def test_a_fixed_port_means_that_it_is_not_handed_over(
    tmp_path: Path, changes: dict[str, Any], port: int
) -> None:
    definition = install(tmp_path, listening(**changes)).definition
    assert definition.port == port and str(port) in str(handover_obstacle(definition))
    assert handover_obstacle(install(tmp_path, listening()).definition) is None
    assert handover_obstacle(install(tmp_path, elsewhere()).definition) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://mcp.example.com/mcp"},
        {"url": "http://127.0.0.1:8000/mcp", "port": 8001},
        {"env": {"PORT": "1"}, "port": 2},
        {"ready_path": "/x"},
        {"command": ()},
        {"directory": "here"},
    ],
    ids=str,
)
def test_a_command_that_could_not_listen_there_is_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(BadInput):
        install(tmp_path, listening(**changes))
    with pytest.raises(BadPort):
        install(tmp_path, listening(port=70000))


def test_an_address_or_a_header_that_differs_is_another_configuration(tmp_path: Path) -> None:
    definition = install(tmp_path, elsewhere(headers={"X-Key": "k"})).definition
    others = (
        replace(definition, url=f"{URL}/2"),
        replace(definition, headers={}),
        replace(definition, directory="/x"),
    )
    hashes = {config_hash(other) for other in (definition, *others)}
    assert len(hashes) == 4
