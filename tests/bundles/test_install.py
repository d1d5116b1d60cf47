"""Every source becomes a definition, or a refusal that leaves nothing behind."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.support.bundle_files import entry, manifest, server, which, write_archive, write_folder

from roost.bundles import BundleFolders, InstalledBundle, read_bundle
from roost.errors import (
    AlreadyExists,
    BadArchive,
    BadConfigFile,
    BadInput,
    BadManifest,
    CommandNotFound,
    ForbiddenVariable,
    InvalidName,
    SensitiveInArguments,
)
from roost.models import BundleKind, BundleSettings, InstallRequest, Runtime, SourceKind
from roost.models.codec import to_json


def install(root: Path, request: InstallRequest, **changes: Any) -> InstalledBundle:
    given: dict[str, Any] = {"workspace": "team", "python": "/opt/python", "which": which} | changes
    return read_bundle(request, bundles_dir=root / "bundles", **given)


def mcpb(path: Path, **changes: Any) -> InstallRequest:
    return InstallRequest(SourceKind.MCPB, path=str(path), **changes)


def left_behind(root: Path) -> list[Path]:
    return list((root / "bundles").rglob("*"))


def test_an_archive_is_unpacked_under_its_version(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.mcpb")
    found = install(tmp_path, mcpb(archive, settings=BundleSettings(protected=True)))
    assert found.name == "demo-server"
    assert found.definition.settings.protected
    root = Path(found.definition.root or "")
    assert root.parent == tmp_path / "bundles" / "team" / "demo-server"
    assert root.name.startswith("1.2.0-")
    assert (root / "server" / "main.py").is_file()
    assert found.definition.source.sha256 is not None
    assert os.listdir(tmp_path / "bundles") == ["team"]


def test_every_install_has_files_of_its_own_which_go_without_touching_others(
    tmp_path: Path,
) -> None:
    archive = write_archive(tmp_path / "a.mcpb")
    roots = [Path(install(tmp_path, mcpb(archive)).definition.root or "") for _ in range(2)]
    assert roots[0] != roots[1]
    folders = BundleFolders(tmp_path / "bundles")
    folders.discard(roots[0])
    assert not roots[0].exists() and (roots[1] / "server" / "main.py").is_file()
    folders.discard(roots[1])
    assert left_behind(tmp_path) == []


def test_an_install_outlives_a_removal_that_takes_the_empty_parent_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = os.rename
    removals = iter([True])

    def rename(source: Path, target: Path) -> None:
        if next(removals, False):
            Path(target).parent.rmdir()
        made(source, target)

    monkeypatch.setattr(os, "rename", rename)
    found = install(tmp_path, mcpb(write_archive(tmp_path / "a.mcpb")))
    assert (Path(found.definition.root or "") / "server" / "main.py").is_file()


def test_a_refused_manifest_is_named_by_the_archive_it_lies_in(tmp_path: Path) -> None:
    for name, data in (("broken.mcpb", manifest(version=5)), ("missing.mcpb", manifest(name=None))):
        with pytest.raises(BadManifest, match=f"{tmp_path / name}: "):
            install(tmp_path, mcpb(write_archive(tmp_path / name, data)))
    folder = write_folder(tmp_path / "folder")
    (folder / "manifest.json").write_text("{")
    with pytest.raises(BadManifest, match=f"the manifest.json of {folder} is not valid JSON"):
        install(tmp_path, mcpb(folder))
    (folder / "manifest.json").unlink()
    with pytest.raises(BadManifest, match=f"no manifest.json at the top of {folder}"):
        install(tmp_path, mcpb(folder))


def test_a_folder_is_copied_with_its_inner_links(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder")
    (folder / ".git").mkdir()
    (folder / "bin").mkdir()
    (folder / "bin" / "run").symlink_to("../server/main.py")
    found = install(tmp_path, mcpb(folder, name="mine"))
    root = Path(found.definition.root or "")
    (folder / "server" / "main.py").write_text("changed")
    assert (root / "bin" / "run").read_text() == "print('hello')\n"
    assert not (root / ".git").exists()
    assert found.name == "mine"


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../../etc/passwd", "../folder/server/main.py", "server/../../../y"]
)
def test_a_folder_with_a_link_that_leads_out_is_refused(tmp_path: Path, target: str) -> None:
    folder = write_folder(tmp_path / "folder")
    (folder / "link").symlink_to(target)
    with pytest.raises(BadArchive, match="leads out of the folder"):
        install(tmp_path, mcpb(folder))
    assert left_behind(tmp_path) == []


def test_a_folder_with_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder")
    os.mkfifo(folder / "pipe")
    with pytest.raises(BadArchive, match="device, pipe or socket"):
        install(tmp_path, mcpb(folder))
    assert left_behind(tmp_path) == []


def test_a_folder_around_the_data_directory_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "x")
    with pytest.raises(BadArchive, match="data directory"):
        install(tmp_path, mcpb(tmp_path))
    assert left_behind(tmp_path) == []


def test_the_program_of_a_binary_bundle_can_be_executed(tmp_path: Path) -> None:
    data = manifest(server=server(type="binary", command="${__dirname}/server/main.py", args=[]))
    found = install(tmp_path, mcpb(write_archive(tmp_path / "a.mcpb", data)))
    assert os.access(Path(found.definition.root or "") / "server" / "main.py", os.X_OK)


def test_a_refused_bundle_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(BadArchive):
        install(tmp_path, mcpb(write_archive(tmp_path / "a.mcpb", entries=((entry("../x"), b""),))))
    with pytest.raises(BadManifest):
        install(tmp_path, mcpb(write_archive(tmp_path / "b.mcpb", manifest(version="../x"))))
    with pytest.raises(CommandNotFound):
        install(
            tmp_path,
            mcpb(write_archive(tmp_path / "c.mcpb", manifest(server=server(command="absent")))),
        )
    with pytest.raises(AlreadyExists):
        install(tmp_path, mcpb(write_archive(tmp_path / "d.mcpb")), taken={"demo-server"})
    with pytest.raises(BadArchive):
        install(tmp_path, mcpb(tmp_path / "absent.mcpb"))
    assert left_behind(tmp_path) == []


def test_what_an_interrupted_install_left_is_removed(tmp_path: Path) -> None:
    folders = BundleFolders(tmp_path / "bundles")
    folders.remove_partials()
    found = install(tmp_path, mcpb(write_archive(tmp_path / "a.mcpb")))
    with pytest.raises(KeyboardInterrupt), folders.partial() as partial:
        partial.mkdir()
        os.rename(partial.parent, tmp_path / "bundles" / ".left.partial")
        raise KeyboardInterrupt
    folders.remove_partials()
    assert os.listdir(tmp_path / "bundles") == ["team"]
    assert Path(found.definition.root or "").is_dir()


@pytest.mark.parametrize("name", ["", "Upper", "../x", "a" * 64, "-a"])
def test_a_bad_name_is_refused(tmp_path: Path, name: str) -> None:
    request = InstallRequest(SourceKind.COMMAND, name=name, command=("/bin/sh",))
    with pytest.raises(InvalidName):
        install(tmp_path, request)
    with pytest.raises(InvalidName):
        install(tmp_path, InstallRequest(SourceKind.COMMAND, command=("sh",)), workspace=name)


CLIENT_FILE = """{
  // servers of the team
  "mcpServers": {
    "Files & More": {
      "command": "node",
      "args": ["https://x//y", "a, ]b",],
      "env": {
        "API_TOKEN": "sk-live-0123456789",
        "LOG_LEVEL": "debug",
        "ROOT": "/srv/data",
        "ASKED": "${input:key}",
        "CACHE": "${HOME}/cache",
        "EMPTY": "",
        "RETRIES": 3, /* why not */
      },
    },
    "remote": {"type": "http", "url": "https://example.com/mcp"},
    "plain-url": {"url": "https://example.com/mcp"},
    "moved": {"command": "node", "cwd": "/srv"},
    "asks": {"command": "node", "args": ["${input:key}"]},
    "gone": {"command": "absent-program"},
    "relative": {"command": "./server"},
    "listed": {"command": "node", "args": "x"},
    "text": "node",
    "nothing": {},
    "bad-env": {"command": "node", "env": {"A": ["x"]}},
    "bad-name": {"command": "node", "env": {"A B": "x"}},
    "daemon": {"command": "node", "env": {"ROOST_DATA_DIR": "x"}},
    "loader": {"command": "node", "env": {"LD_PRELOAD": "/tmp/x.so"}}
  }
}
"""


def client_entry(root: Path, name: str | None, content: str = CLIENT_FILE) -> InstalledBundle:
    path = root / "client.json"
    path.write_text(content)
    request = InstallRequest(SourceKind.MCP_SERVERS, path=str(path), entry=name)
    return install(root, request)


def test_an_entry_of_a_client_becomes_a_definition_without_its_values(tmp_path: Path) -> None:
    found = client_entry(tmp_path, "Files & More")
    definition = found.definition
    assert (found.name, definition.title) == ("files-more", "Files & More")
    assert (definition.command, definition.runtime) == ("node", Runtime.NODE)
    assert definition.args == ("https://x//y", "a, ]b")
    assert definition.env["API_TOKEN"] == "${user_config.API_TOKEN}"
    assert found.values == {
        "API_TOKEN": "sk-live-0123456789",
        "LOG_LEVEL": "debug",
        "ROOT": "/srv/data",
        "RETRIES": "3",
    }
    assert definition.env["ASKED"] == "${user_config.key}"
    fields = {field.key: field for field in definition.fields}
    assert {key for key, field in fields.items() if field.sensitive} == {
        "API_TOKEN",
        "EMPTY",
        "key",
    }
    assert {key for key, field in fields.items() if not field.required} == {"EMPTY"}
    assert fields["CACHE"].default == "${HOME}/cache"
    assert b"sk-live" not in to_json(definition)
    assert "sk-live" not in repr(found)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("listed", "not a list of texts"),
        ("text", "not an object"),
        ("nothing", "no command"),
        ("bad-env", "A must be a text"),
        ("bad-name", "not a name"),
        ("absent", "it has: 'Files & More', 'remote'"),
        (None, "name the one to install"),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused(
    tmp_path: Path, name: str | None, problem: str
) -> None:
    with pytest.raises(BadConfigFile, match=problem):
        client_entry(tmp_path, name)


@pytest.mark.parametrize(
    ("name", "variable"), [("daemon", "ROOST_DATA_DIR"), ("loader", "LD_PRELOAD")]
)
def test_an_entry_with_a_variable_that_never_passes_is_refused_by_its_name(
    tmp_path: Path, name: str, variable: str
) -> None:
    with pytest.raises(ForbiddenVariable, match=variable):
        client_entry(tmp_path, name)


@pytest.mark.parametrize("name", ["gone", "relative"])
def test_an_entry_whose_program_does_not_exist_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandNotFound):
        client_entry(tmp_path, name)


def test_the_servers_key_of_editors_and_the_only_entry_are_taken(tmp_path: Path) -> None:
    content = json.dumps({"servers": {"only": {"type": "stdio", "command": "node"}}})
    assert client_entry(tmp_path, None, content).name == "only"


def test_a_broken_client_file_names_the_place_and_not_its_content(tmp_path: Path) -> None:
    content = '{"mcpServers": {\n  "a": {"env": {"KEY": "sk-live-0123456789" oops}}\n}}'
    with pytest.raises(BadConfigFile, match="line 2, column 45") as caught:
        client_entry(tmp_path, "a", content)
    error: BaseException | None = caught.value
    while error is not None:
        assert "sk-live" not in f"{error} {vars(error)} {getattr(error, 'doc', '')}"
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("content", ["[]", "{}", '{"mcpServers": []}', '"/*', "/*" * 9])
def test_a_file_without_servers_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(BadConfigFile):
        client_entry(tmp_path, "a", content)


def test_a_command_becomes_a_definition_and_its_environment_fields(tmp_path: Path) -> None:
    request = InstallRequest(
        SourceKind.COMMAND,
        command=("/bin/sh", "-c", "echo ${FOO} $$"),
        env={"DB_PASSWORD": "hunter2hunter2"},
    )
    found = install(tmp_path, request)
    assert found.name == "sh"
    assert found.definition.kind is BundleKind.COMMAND
    assert found.definition.args == ("-c", "echo ${FOO} $$")
    assert found.values == {"DB_PASSWORD": "hunter2hunter2"}
    assert found.definition.fields[0].sensitive
    assert "hunter2" not in repr(found.definition)


def test_a_literal_port_of_a_web_app_is_its_fixed_port(tmp_path: Path) -> None:
    request = InstallRequest(
        SourceKind.COMMAND, kind=BundleKind.WEB, command=("/bin/sh",), env={"PORT": "8080"}
    )
    found = install(tmp_path, request)
    assert (found.definition.port, found.definition.env, found.values) == (8080, {}, {})


@pytest.mark.parametrize(
    "changes",
    [
        {"command": ()},
        {"command": ("",)},
        {"command": ("/bin/sh", "a\0b")},
        {"command": ("/bin/sh", "\ud800")},
        {"directory": "relative"},
        {"directory": "/no/such/directory"},
        {"env": {"A=B": "x"}},
        {"env": {"A": "x\0y"}},
        {"env": {"ROOST_X": "x"}},
        {"kind": BundleKind.WEB, "env": {"PORT": "99999"}},
        {"settings": BundleSettings(drain_s=float("nan"))},
        {"settings": BundleSettings(drain_s=-1.0)},
    ],
)
def test_a_command_that_cannot_be_started_as_asked_is_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    given: dict[str, Any] = {"command": ("/bin/sh",)} | changes
    with pytest.raises(BadInput):
        install(tmp_path, InstallRequest(SourceKind.COMMAND, **given))


@pytest.mark.parametrize("program", ["absent", "./sh", "bin/sh", "/no/such", "/etc"])
def test_a_command_whose_program_does_not_exist_is_refused(tmp_path: Path, program: str) -> None:
    with pytest.raises(CommandNotFound):
        install(tmp_path, InstallRequest(SourceKind.COMMAND, command=(program,)))


def test_a_command_that_only_its_own_path_leads_to_is_accepted(tmp_path: Path) -> None:
    request = InstallRequest(SourceKind.COMMAND, command=("sh",), env={"PATH": "/usr/bin:/bin"})
    assert install(tmp_path, request).definition.command == "sh"


def test_a_command_that_shows_a_secret_in_its_arguments_is_refused(tmp_path: Path) -> None:
    request = InstallRequest(
        SourceKind.COMMAND,
        command=("/bin/sh", "--token", "${user_config.TOKEN}"),
        env={"TOKEN": "0123456789"},
    )
    with pytest.raises(SensitiveInArguments):
        install(tmp_path, request)


def test_a_pinned_requirement_becomes_a_prepared_bundle(tmp_path: Path) -> None:
    request = InstallRequest(
        SourceKind.PYPI, requirement="mcp-server-time==2026.10.19", command=("--local", "UTC")
    )
    definition = install(tmp_path, request).definition
    assert definition.command == "${prepared}/bin/mcp-server-time"
    assert definition.args == ("--local", "UTC")
    assert definition.requirements == ("mcp-server-time==2026.10.19",)
    assert (definition.version, definition.kind) == ("2026.10.19", BundleKind.MCP_STDIO)


@pytest.mark.parametrize(
    "requirement",
    [
        "",
        "-r==1",
        "name==1 --index-url=x",
        "n @ file:///x",
    ],
)
def test_a_requirement_that_is_no_package_of_an_index_is_refused(
    tmp_path: Path, requirement: str
) -> None:
    with pytest.raises(BadInput, match="NAME==VERSION"):
        install(tmp_path, InstallRequest(SourceKind.PYPI, requirement=requirement))


@pytest.mark.parametrize("script", ["../sh", "a/b", "", ".x", "-x"])
def test_a_script_that_is_no_name_is_refused(tmp_path: Path, script: str) -> None:
    request = InstallRequest(SourceKind.PYPI, requirement="name==1", script=script)
    with pytest.raises(BadInput, match="name of a program"):
        install(tmp_path, request)


@pytest.mark.parametrize("path", [None, "", "relative.json", "/a\0b", "/\ud800"])
@pytest.mark.parametrize("source", [SourceKind.MCPB, SourceKind.MCP_SERVERS])
def test_a_path_that_is_not_absolute_is_refused(
    tmp_path: Path, source: SourceKind, path: str | None
) -> None:
    with pytest.raises(BadInput, match="absolute path"):
        install(tmp_path, InstallRequest(source, path=path))


@pytest.mark.parametrize("wrong", ['"args": ""', '"args": 0', '"env": []', '"env": false'])
def test_an_empty_value_of_the_wrong_kind_is_refused_too(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(BadConfigFile, match="correct"):
        client_entry(tmp_path, "a", f'{{"mcpServers": {{"a": {{"command": "python3", {wrong}}}}}}}')


def test_two_entries_of_one_name_are_refused_and_not_guessed_at(tmp_path: Path) -> None:
    content = '{"mcpServers": {"a": {"command": "python3"}, "a": {"command": "cat"}}}'
    with pytest.raises(BadConfigFile, match="the key 'a' twice in one object"):
        client_entry(tmp_path, "a", content)
