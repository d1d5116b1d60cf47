"""What a manifest becomes, and what is wrong with those that become nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.bundle_files import manifest, server, user_field, which, write_folder

from roost.bundles.manifest import Manifest, manifest_from, read_manifest
from roost.bundles.programs import Programs
from roost.errors import BadManifest, CommandNotFound, RoostError, SensitiveInArguments
from roost.models import BundleKind, FieldType, Runtime, Source, SourceKind

SOURCE = Source(SourceKind.MCPB, "/origin")
PROGRAMS = Programs("/opt/python", which)


def read(folder: Path, data: Any, platform: str = "linux") -> Manifest:
    if not folder.exists():
        write_folder(folder)
    return manifest_from(
        data, folder, root="/final", source=SOURCE, programs=PROGRAMS, platform=platform
    )


def test_a_full_manifest_becomes_a_definition(tmp_path: Path) -> None:
    data = manifest(
        display_name="Demo \x1b[31mServer",
        unknown_key={"anything": 1},
        compatibility={"platforms": ["linux"], "other_client": ">=1"},
        user_config={
            "token": user_field(sensitive=True, required=True),
            "limit": user_field(type="number", min=1, max=5, default=3),
            "dirs": user_field(type="directory", multiple=True, default=["${HOME}/Desktop"]),
            "empty": user_field(default=""),
        },
        server=server(
            args=["${__dirname}/server/main.py", "${user_config.dirs}"],
            env={"TOKEN": "${user_config.token}", "LIMIT": "${user_config.limit}"},
        ),
    )
    found = read(tmp_path / "b", data)
    definition = found.definition
    assert found.name == "demo-server"
    assert (definition.kind, definition.runtime) == (BundleKind.MCP_STDIO, Runtime.PYTHON)
    assert (definition.title, definition.version) == ("Demo [31mServer", "1.2.0")
    assert (definition.command, definition.root) == ("/opt/python", "/final")
    assert definition.args == ("${__dirname}/server/main.py", "${user_config.dirs}")
    assert [field.key for field in definition.fields] == ["token", "limit", "dirs", "empty"]
    token, limit, dirs, empty = definition.fields
    assert (token.sensitive, token.required, token.default) == (True, True, None)
    assert (limit.type, limit.minimum, limit.maximum, limit.default) == (
        FieldType.NUMBER,
        1.0,
        5.0,
        3.0,
    )
    assert (dirs.multiple, dirs.default) == (True, ["${HOME}/Desktop"])
    assert empty.default is None


@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3", "0.4"])
@pytest.mark.parametrize("key", ["manifest_version", "dxt_version"])
def test_all_known_manifest_versions_are_read(tmp_path: Path, key: str, version: str) -> None:
    data = manifest(manifest_version=None) | {key: version}
    assert read(tmp_path / "b", data).name == "demo-server"


def test_overrides_of_this_platform_replace_their_keys_whole(tmp_path: Path) -> None:
    changed = server(
        args=["base"],
        env={"BASE": "1"},
        platform_overrides={"linux": {"env": {"OWN": "2"}}, "darwin": {"args": ["mac"]}},
    )
    on_linux = read(tmp_path / "b", manifest(server=changed)).definition
    assert (on_linux.args, on_linux.env) == (("base",), {"OWN": "2"})
    on_mac = read(tmp_path / "b", manifest(server=changed), "darwin").definition
    assert (on_mac.args, on_mac.env) == (("mac",), {"BASE": "1"})


def test_a_uv_server_needs_no_command(tmp_path: Path) -> None:
    data = manifest(manifest_version="0.4", server={"type": "uv", "entry_point": "server/main.py"})
    definition = read(tmp_path / "b", data).definition
    assert definition.runtime is Runtime.UV
    assert definition.command == "/usr/bin/env"
    assert definition.args == ("run", "--directory", "${__dirname}", "server/main.py")


@pytest.mark.parametrize(
    "command", ["${__dirname}/server/main.py", "server/main.py", "./server/main.py"]
)
def test_a_program_of_the_bundle_is_started_from_the_bundle(tmp_path: Path, command: str) -> None:
    found = read(tmp_path / "b", manifest(server=server(type="binary", command=command, args=[])))
    assert found.definition.command == "${__dirname}/server/main.py"
    assert found.executables == ("server/main.py",)


def test_interpreters_are_recorded_by_their_full_path(tmp_path: Path) -> None:
    node = read(tmp_path / "b", manifest(server=server(type="node", command="node")))
    assert node.definition.command == "/usr/bin/env"
    python = read(tmp_path / "b", manifest(server=server(command="python3")))
    assert python.definition.command == "/opt/python"


def test_compiled_modules_of_another_python_ask_for_that_python(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "b")
    (folder / "server" / "fast.cpython-399-x86_64-linux-gnu.so").write_bytes(b"")
    with pytest.raises(BadManifest, match=r"python3\.99"):
        read(folder, manifest())
    minor = sys.version_info.minor
    (folder / "server" / f"fast.cpython-3{minor}-x86_64-linux-gnu.so").write_bytes(b"")
    assert read(folder, manifest()).definition.command == "/opt/python"


BAD_MANIFESTS: dict[str, Any] = {
    "must be an object": [],
    "manifest_version is missing": manifest(manifest_version=None),
    "must be one of 0.1": manifest(manifest_version="9.9"),
    "manifest_version must be a text": manifest(manifest_version=0.3),
    "name is missing": manifest(name=None),
    "name is empty": manifest(name=" "),
    "version is missing": manifest(version=None),
    "cannot name a directory": manifest(version="../../x"),
    "version '.hidden'": manifest(version=".hidden"),
    "description is missing": manifest(description=None),
    "author is missing": manifest(author=None),
    "author.name is missing": manifest(author={}),
    "server is missing": manifest(server=None),
    "server.type is 'perl'": manifest(server=server(type="perl")),
    "entry_point '../../bin/sh' leads out": manifest(server=server(entry_point="../../bin/sh")),
    "entry_point '/bin/sh' leads out": manifest(server=server(entry_point="/bin/sh")),
    "no file of the bundle": manifest(server=server(entry_point="server")),
    "is no file of the bundle": manifest(server=server(entry_point="x" * 5000)),
    "mcp_config is missing": manifest(server={"type": "node", "entry_point": "server/main.py"}),
    "command is missing": manifest(server=server(command=None)),
    "args must be a list of texts": manifest(server=server(args=["a", 1])),
    "must be a list of": manifest(server=server(args=["a\0b"])),
    "env.A must be a text": manifest(server=server(env={"A": 1})),
    "no name of a variable": manifest(server=server(env={"A=B": "1"})),
    "belongs to Roost": manifest(server=server(env={"ROOST_VAULT_KEY": "x"})),
    "command '../sh' leads out": manifest(server=server(command="../sh")),
    "uses ${nope}, which stands": manifest(server=server(args=["${nope}"])),
    "uses ${user_config.x}": manifest(server=server(env={"A": "${user_config.x}"})),
    "made for win32": manifest(compatibility={"platforms": ["win32"]}),
    "must be named with letters": manifest(user_config={"a b": user_field()}),
    "user_config.f.title is missing": manifest(user_config={"f": user_field(title=None)}),
    "f.description is missing": manifest(user_config={"f": user_field(description=None)}),
    "f.type is 'date'": manifest(user_config={"f": user_field(type="date")}),
    "f.required must be true": manifest(user_config={"f": user_field(required="yes")}),
    "min is greater": manifest(user_config={"f": user_field(type="number", min=2, max=1)}),
    "min and max are for": manifest(user_config={"f": user_field(min=1)}),
    "f.max must be a number": manifest(user_config={"f": user_field(type="number", max="1")}),
    "multiple is for": manifest(user_config={"f": user_field(multiple=True)}),
    "default must be a number": manifest(user_config={"f": user_field(type="number", default="1")}),
    "default must be at least": manifest(
        user_config={"f": user_field(type="number", min=2, default=1)}
    ),
    "default takes several": manifest(
        user_config={"f": user_field(type="file", multiple=True, default="/a")}
    ),
    "default uses ${user_config.g}": manifest(
        user_config={"f": user_field(default="${user_config.g}"), "g": user_field()}
    ),
    "inside the text '--dirs=": manifest(
        user_config={"d": user_field(type="directory", multiple=True)},
        server=server(args=["--dirs=${user_config.d}"]),
    ),
    "several values of 'd'": manifest(
        user_config={"d": user_field(type="directory", multiple=True)},
        server=server(args=["${user_config.d}"], env={"D": "${user_config.d}"}),
    ),
}


@pytest.mark.parametrize(("problem", "data"), BAD_MANIFESTS.items(), ids=BAD_MANIFESTS)
def test_a_bad_manifest_is_refused_with_the_place(tmp_path: Path, problem: str, data: Any) -> None:
    with pytest.raises(BadManifest) as caught:
        read(tmp_path / "b", data)
    assert problem in caught.value.message


@pytest.mark.parametrize(
    "changed",
    [
        server(args=["--token=${user_config.token}"]),
        server(command="${user_config.token}"),
        server(args=["ok", "${user_config.token}"]),
    ],
)
def test_a_sensitive_field_in_the_command_line_is_refused(tmp_path: Path, changed: Any) -> None:
    data = manifest(user_config={"token": user_field(sensitive=True)}, server=changed)
    with pytest.raises(SensitiveInArguments, match=r"demo-server.*token"):
        read(tmp_path / "b", data)


@pytest.mark.parametrize("command", ["nowhere-to-be-found", "/no/such/program", "bin/absent"])
def test_a_program_that_does_not_exist_is_refused(tmp_path: Path, command: str) -> None:
    with pytest.raises(CommandNotFound, match=command):
        read(tmp_path / "b", manifest(server=server(command=command)))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{\n  "name": oops\n}', "line 2, column 11"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[" * 100_000, "too deep"),
        (b'{"name": NaN}', "a number that JSON does not have"),
        (b"9" * 5000, "a number that JSON does not have"),
        (b"", "line 1"),
    ],
)
def test_broken_json_is_refused_with_its_place(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    folder = write_folder(tmp_path / "b")
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(BadManifest, match=problem):
        read_manifest(folder, called="a.mcpb", root="/final", source=SOURCE, programs=PROGRAMS)


def test_a_missing_manifest_says_how_to_pack(tmp_path: Path) -> None:
    with pytest.raises(BadManifest, match="mcpb pack"):
        read_manifest(tmp_path, called="a.mcpb", root="/final", source=SOURCE, programs=PROGRAMS)


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.sampled_from(
            ["\ud800", "\0", "${", "${user_config.token}", "../x", "python", "/bin/sh"]
        ),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def fuzz_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("fuzz") / "b")


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    for key, value in data.items() if isinstance(data, dict) else ():
        found += places(value, (*path, key))
    return found


FULL = manifest(
    user_config={"token": user_field(sensitive=True), "n": user_field(type="number", min=1)},
    server=server(env={"A": "${user_config.token}"}, platform_overrides={"linux": {"args": []}}),
    compatibility={"platforms": ["linux"]},
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(changes=st.lists(st.tuples(st.sampled_from(places(FULL)), json_values), max_size=3))
def test_anything_in_a_manifest_is_read_or_refused(
    fuzz_folder: Path, changes: list[tuple[tuple[Any, ...], Any]]
) -> None:
    data = json.loads(json.dumps(FULL))
    for path, value in changes:
        target: Any = {"": data}
        for key in ("", *path[:-1]):
            target = target.get(key) if isinstance(target, dict) else None
        if isinstance(target, dict) and path:
            target[path[-1]] = value
    try:
        read(fuzz_folder, data)
    except RoostError as error:
        assert error.message
