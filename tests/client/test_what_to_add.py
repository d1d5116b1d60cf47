"""What a person types becomes the request that is meant, or a refusal that names the choices."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from roost.client.what_to_add import request_for
from roost.errors import BadInput
from roost.models import BundleKind, InstallRequest, SourceKind

MCP = BundleKind.MCP_STDIO


def ask(words: str | tuple[str, ...], directory: Path | str = "/") -> InstallRequest:
    return request_for(words, directory=str(directory))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "https://host/mcp",
            InstallRequest(SourceKind.URL, url="https://host/mcp", kind=BundleKind.MCP_HTTP),
        ),
        ("npm:left-pad", InstallRequest(SourceKind.NPM, requirement="left-pad", kind=MCP)),
        ("npm:a@1.2.3", InstallRequest(SourceKind.NPM, requirement="a@1.2.3", kind=MCP)),
        ("@x/y", InstallRequest(SourceKind.NPM, requirement="@x/y", kind=MCP)),
        (
            "@x/y@2 --flag '/a b'",
            InstallRequest(
                SourceKind.NPM, requirement="@x/y@2", command=("--flag", "/a b"), kind=MCP
            ),
        ),
        ("pypi:thing", InstallRequest(SourceKind.PYPI, requirement="thing", kind=MCP)),
        ("thing==1.0", InstallRequest(SourceKind.PYPI, requirement="thing==1.0", kind=MCP)),
        ("sh -c true", InstallRequest(SourceKind.COMMAND, command=("sh", "-c", "true"))),
        (
            "sh -c my-mcp-server",
            InstallRequest(SourceKind.COMMAND, command=("sh", "-c", "my-mcp-server"), kind=MCP),
        ),
    ],
)
def test_names_and_addresses_say_themselves_what_they_are(
    words: str, expected: InstallRequest
) -> None:
    assert ask(words) == expected


@pytest.mark.parametrize("name", ["a b.mcpb", "a.DXT", "a.zip"])
def test_an_archive_is_told_by_its_ending_and_may_hold_spaces(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    expected = InstallRequest(SourceKind.MCPB, path=str(tmp_path / name), kind=MCP)
    assert ask(name, tmp_path) == ask(str(tmp_path / name)) == expected


def test_a_folder_is_a_bundle_by_its_manifest_and_an_app_by_its_python_files(
    tmp_path: Path,
) -> None:
    bundle, app, site = (tmp_path / name for name in ("bundle", "app", "site"))
    for folder in (bundle, app, site):
        folder.mkdir()
    (bundle / "manifest.json").write_text('{"manifest_version": "0.3"}')
    (app / "manifest.json").write_text('{"name": "of a web page"}')
    (app / "main.py").write_text("")
    assert ask("bundle", tmp_path).source is SourceKind.MCPB
    assert ask("./app", tmp_path).source is SourceKind.APP
    with pytest.raises(BadInput, match=r"no manifest\.json"):
        ask("site/", tmp_path)


def test_an_entry_of_a_configuration_is_the_word_behind_it(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{}")
    (tmp_path / "c.toml").write_text("")
    found = ask("c.json files", tmp_path)
    assert (found.source, found.path, found.entry) == (
        SourceKind.MCP_SERVERS,
        str(tmp_path / "c.json"),
        "files",
    )
    named = request_for(("c.toml",), directory=str(tmp_path), entry="x")
    assert (named.source, named.entry) == (SourceKind.MCP_SERVERS, "x")


def test_a_program_given_by_path_starts_from_here(tmp_path: Path) -> None:
    program = tmp_path / "run"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(BadInput, match="no program"):
        ask("./run", tmp_path)
    program.chmod(0o755)
    assert ask("./run --x", tmp_path).command == (str(program), "--x")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "nothing to add"),
        (" ", "nothing to add"),
        ("'half", "quotation mark"),
        ("npm:", "names no package"),
        ("no-such-thing-here", "npm:no-such-thing-here or pypi:no-such-thing-here"),
        ("no-such@1.0", "npm:no-such@1.0"),
        ("./missing.mcpb", "nothing at /missing.mcpb"),
        ("missing.mcpb", "nothing at /missing.mcpb"),
        ("https://host/mcp --verbose", "takes no arguments"),
        ("wh?t", "full path"),
    ],
)
def test_what_is_unclear_is_refused_with_the_choices(words: str, told: str) -> None:
    with pytest.raises(BadInput) as refusal:
        ask(words)
    assert told in refusal.value.message


def test_reading_words_loads_nothing_of_the_engine() -> None:
    heavy = "roost.bundles roost.engine roost.vault roost.store pydantic cryptography"
    code = f"import sys, roost.client.what_to_add; print([n for n in {heavy!r}.split() if n in sys.modules])"  # noqa: E501 - one line of a program
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_variables_before_a_command_are_its_own_and_may_be_empty(tmp_path: Path) -> None:
    request = ask("API_KEY=abc123 REGION= sh -c true", tmp_path)
    assert request.env == {"API_KEY": "abc123", "REGION": ""}
    assert request.command == ("sh", "-c", "true")


@pytest.mark.parametrize(
    "words", ["API_KEY=hunter2-hunter2", "API_KEY=hunter2-hunter2 https://host/mcp"]
)
def test_variables_of_nothing_are_refused_without_their_values(words: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refusal:
        ask(words, tmp_path)
    assert "hunter2" not in str(refusal.value)
