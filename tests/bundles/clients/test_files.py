"""Files of clients that are broken, hostile or endless hide no others and never end a scan."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.client_samples import SampleClients

from roost.bundles.clients.files import read_config
from roost.bundles.clients.found import find_entries
from roost.bundles.clients.locations import Client, Location
from roost.bundles.clients.review import review
from roost.errors import BadConfigFile, BadInput
from roost.models import ImportScan
from roost.models.codec import to_json

SECRET = "sk-live-0123456789"

IN_ONE_DIRECTORY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

_TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["${X}", "${input:k}", "${workspaceFolder}", "https://h/m?k=v", "--token=x", "${X:-${Y}}"]
    ),
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(_TEXTS, inner, max_size=4)
    ),
    max_leaves=12,
)
_KEYS = st.sampled_from(
    [
        "command",
        "args",
        "env",
        "url",
        "serverUrl",
        "httpUrl",
        "headers",
        "type",
        "cwd",
        "envFile",
        "disabled",
        "enabled",
        "env_vars",
        "http_headers",
        "env_http_headers",
        "bearer_token_env_var",
        "oauth",
        "sandboxEnabled",
        "transport",
    ]
)
_ENTRIES = st.one_of(
    _VALUES,
    st.dictionaries(_KEYS, _VALUES, max_size=6),
    st.fixed_dictionaries(
        {"command": _TEXTS},
        optional={
            "args": st.lists(_TEXTS, max_size=4),
            "env": st.dictionaries(_TEXTS, _TEXTS, max_size=3),
            "envFile": _TEXTS,
            "cwd": _TEXTS,
        },
    ),
    st.fixed_dictionaries(
        {"url": _TEXTS}, optional={"headers": st.dictionaries(_TEXTS, _TEXTS, max_size=3)}
    ),
)
_TABLES = st.dictionaries(_TEXTS, _ENTRIES, max_size=4)
_FILES = st.one_of(
    _VALUES,
    st.fixed_dictionaries(
        {},
        optional={
            "mcpServers": st.one_of(_TABLES, _VALUES),
            "servers": st.one_of(_TABLES, _VALUES),
            "inputs": st.one_of(
                _VALUES, st.lists(st.dictionaries(st.sampled_from(["id", "type"]), _TEXTS))
            ),
            "mcp": st.one_of(_VALUES, st.fixed_dictionaries({"servers": _TABLES})),
            "projects": st.dictionaries(
                _TEXTS, st.one_of(_VALUES, st.fixed_dictionaries({"mcpServers": _TABLES}))
            ),
        },
    ),
)


def scan(path: Path) -> ImportScan:
    return ImportScan(files=(str(path),), only_given=True)


@IN_ONE_DIRECTORY
@given(data=_FILES, name=st.sampled_from(["mcp.json", "claude_desktop_config.json", ".mcp.json"]))
def test_any_json_gives_a_plan_that_can_be_sent(
    clients: SampleClients, data: Any, name: str
) -> None:
    path = clients.home / name
    path.write_text(json.dumps(data))
    plan = review(find_entries(scan(path), clients.environ), {}, clients.place())
    to_json(plan)
    [file] = plan.files
    assert file.problem or file.servers == len(plan.entries)
    assert all(entry.problem or entry.argv or entry.url for entry in plan.entries)


@IN_ONE_DIRECTORY
@given(
    data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)),
    name=st.sampled_from(["x.json", "config.toml"]),
)
def test_any_bytes_give_a_problem_or_a_plan(clients: SampleClients, data: bytes, name: str) -> None:
    path = clients.home / name
    path.write_bytes(data)
    to_json(review(find_entries(scan(path), clients.environ), {}, clients.place()))


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("a.json", f'{{"mcpServers": {{\n  "a": {{"env": {{"K": "{SECRET}" oops', "line 2"),
        ("a.toml", f'[mcp_servers.a]\nenv = {{ K = "{SECRET}" oops', "line 2"),
        ("b.toml", "x = " + "[" * 5000, "nested too deep"),
        ("b.json", "[" * 200_000, "nested too deep"),
        ("c.json", '{"mcpServers": {"a": 1, "a": 2}}', "twice"),
        ("d.json", '{"mcpServers": []}', "not an object"),
        ("e.json", "{}", "no object named"),
        ("f.json", '"' + "\xff", "not UTF-8"),
    ],
)
def test_a_broken_file_names_the_place_and_not_its_content(
    tmp_path: Path, name: str, content: str, place: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode("latin-1"))
    found = read_config(Location(Client.OTHER, path, is_given=True))
    assert found is not None and place in found.problem
    assert SECRET not in repr(found)


def test_a_broken_file_hides_no_other(clients: SampleClients) -> None:
    path = clients.home / ".cursor" / "mcp.json"
    path.write_text("{")
    plan = clients.plan()
    assert [file.client for file in plan.files if file.problem] == ["Cursor"]
    assert len({entry.client for entry in plan.entries if not entry.problem}) == 7


@pytest.mark.parametrize("kind", ["pipe", "directory", "device", "endless", "gone"])
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mcp.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "endless":
        with path.open("wb") as file:
            file.truncate(9 * 2**20)
    found = read_config(Location(Client.OTHER, path, is_given=True))
    assert found is not None and found.problem and str(path) in found.problem


def test_a_place_that_is_not_there_is_no_finding(tmp_path: Path) -> None:
    assert read_config(Location(Client.CURSOR, tmp_path / "mcp.json")) is None


@pytest.mark.parametrize("path", ["relative", "", "/a\0b", "/\ud800"])
def test_a_scan_of_paths_that_are_none_is_refused(path: str) -> None:
    with pytest.raises(BadInput, match="absolute path"):
        find_entries(ImportScan(files=(path,)), {})
    with pytest.raises(BadInput, match="absolute path"):
        find_entries(ImportScan(directories=(path,)), {})


def test_without_a_home_only_what_was_named_is_read(clients: SampleClients) -> None:
    found = find_entries(ImportScan(directories=(str(clients.project),)), {})
    assert {file.path.startswith(str(clients.project)) for file in found.files} == {True}


def test_more_than_can_be_reviewed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {f"s{n}": {} for n in range(2001)}}))
    with pytest.raises(BadInput, match="cannot be reviewed"):
        find_entries(scan(path), {})


def test_the_reader_raises_nothing_but_what_it_says(tmp_path: Path) -> None:
    from roost.bundles.clients.files import parse_config

    with pytest.raises(BadConfigFile):
        parse_config(tmp_path / "x.toml", b"a = 1" + b"0" * 5000)
