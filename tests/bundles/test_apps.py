"""Apps as bundles: their command, what they say of themselves, and what is wrong with the rest."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.bundle_files import which

from roost.bundles import (
    AppDescription,
    InstalledBundle,
    LauncherOutput,
    read_bundle,
    read_description,
)
from roost.errors import AlreadyExists, BadApp, BadInput, BadPort, CommandNotFound, InvalidName
from roost.models import BundleKind, BundleSettings, InstallRequest, Runtime, SourceKind


class Launcher:
    """Answers for an app and remembers with which command it was asked."""

    def __init__(self, kind: BundleKind = BundleKind.WEB) -> None:
        self.commands: list[tuple[str, ...]] = []
        self._kind = kind

    def __call__(self, command: tuple[str, ...]) -> AppDescription:
        self.commands.append(command)
        return AppDescription("Greeter App", self._kind)


def install(request: InstallRequest, describe: Launcher, **changes: Any) -> InstalledBundle:
    given: dict[str, Any] = {"workspace": "team", "python": "/opt/python", "which": which} | changes
    return read_bundle(request, bundles_dir=Path("/nowhere"), describe=describe, **given)


def app(directory: Path, **changes: Any) -> InstallRequest:
    return InstallRequest(SourceKind.APP, path=str(directory), **changes)


def test_an_app_becomes_a_bundle_of_its_own_kind_and_name(tmp_path: Path) -> None:
    launcher = Launcher()
    settings = BundleSettings(protected=True)
    found = install(
        app(tmp_path, port=8080, ready_path="/healthz", env={"LEVEL": "debug"}, settings=settings),
        launcher,
    )
    definition = found.definition
    assert (found.name, definition.title) == ("greeter-app", "Greeter App")
    assert (definition.kind, definition.runtime) == (BundleKind.WEB, Runtime.PYTHON)
    assert (definition.port, definition.ready_path) == (8080, "/healthz")
    assert (definition.source.kind, definition.source.origin) == (SourceKind.APP, str(tmp_path))
    assert definition.env == {"LEVEL": "${user_config.LEVEL}"}
    assert found.values == {"LEVEL": "debug"}
    assert definition.settings.protected and definition.root is None


def test_the_command_that_describes_an_app_is_the_one_that_starts_it(tmp_path: Path) -> None:
    launcher = Launcher(BundleKind.COMMAND)
    found = install(app(tmp_path, entry="main:app", name="mine"), launcher)
    started = ("/opt/python", "-m", "roost.app", "main:app", "--directory", str(tmp_path))
    assert launcher.commands == [started]
    assert (found.definition.command, *found.definition.args) == started
    assert found.name == "mine"


def test_another_interpreter_is_found_by_name_or_path(tmp_path: Path) -> None:
    launcher = Launcher()
    assert install(app(tmp_path, python="python3"), launcher).definition.command == sys.executable
    assert install(app(tmp_path, python="/bin/sh"), launcher).definition.command == "/bin/sh"
    with pytest.raises(CommandNotFound):
        install(app(tmp_path, python="/no/such/python"), launcher)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": "Not A Name"}, InvalidName),
        ({"name": "taken"}, AlreadyExists),
        ({"python": "absent"}, CommandNotFound),
        ({"settings": BundleSettings(drain_s=-1.0)}, BadInput),
    ],
    ids=lambda value: str(value),
)
def test_what_is_wrong_without_the_app_is_said_before_its_code_is_loaded(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception]
) -> None:
    launcher = Launcher()
    with pytest.raises(error):
        install(app(tmp_path, **changes), launcher, taken={"taken"})
    assert launcher.commands == []


@pytest.mark.parametrize("path", [None, "", "relative", "/no/such/directory", "/bin/sh", "/a\0b"])
def test_what_is_no_directory_is_no_app(tmp_path: Path, path: str | None) -> None:
    launcher = Launcher()
    with pytest.raises(BadApp, match="no such directory"):
        install(replace(app(tmp_path), path=path), launcher)
    assert launcher.commands == []


def test_a_directory_whose_name_would_be_filled_in_is_refused(tmp_path: Path) -> None:
    (tmp_path / "${HOME}").mkdir()
    with pytest.raises(BadApp, match="rename the directory"):
        install(app(tmp_path / "${HOME}"), Launcher())


def test_a_port_or_a_path_of_an_app_that_serves_nothing_is_refused(tmp_path: Path) -> None:
    worker = Launcher(BundleKind.COMMAND)
    with pytest.raises(BadInput, match="web bundles only"):
        install(app(tmp_path, port=8080), worker)
    with pytest.raises(BadInput, match="web bundles only"):
        install(app(tmp_path, ready_path="/"), worker)
    with pytest.raises(BadPort):
        install(app(tmp_path, port=70000), Launcher())


def test_an_interpreter_goes_with_apps_only() -> None:
    request = InstallRequest(SourceKind.COMMAND, command=("/bin/sh",), python="python3")
    with pytest.raises(BadInput, match="for apps and workers only"):
        install(request, Launcher())


def test_without_a_launcher_no_app_is_installed(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="install its command instead"):
        read_bundle(
            app(tmp_path),
            workspace="team",
            bundles_dir=tmp_path,
            python=sys.executable,
            which=which,
        )


def output(stdout: str = "", stderr: str = "", ended: str = "exit 1") -> LauncherOutput:
    return LauncherOutput(stdout, stderr, ended)


@pytest.mark.parametrize("kind", ["web", "command"])
def test_the_last_line_is_the_answer_whatever_stands_before_it(kind: str) -> None:
    answer = json.dumps({"name": "greeter", "kind": kind, "port": 8000})
    found = read_description(output(f"loading...\n{answer}\n", ended="exit 0"), "/apps/greeter")
    assert found == AppDescription("greeter", BundleKind(kind))


def test_an_error_of_the_app_is_passed_on_in_its_own_words() -> None:
    error = {"error": {"code": "entry_failed", "message": "app.py could not be loaded: no"}}
    with pytest.raises(BadApp, match=r"'/a' is not installed: app.py could not be loaded: no"):
        read_description(output(json.dumps(error)), "/a")


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (output(), "ended with exit 1: it said nothing"),
        (output(stderr="first\nlast words\n\n"), "ended with exit 1: last words"),
        (output(ended="SIGKILL"), "ended with SIGKILL"),
        (output("[1, 2]\n"), "it said nothing"),
        (output("{broken\n"), "it said nothing"),
        (output('{"name": "x", "kind": "robot"}\n'), "another version of Roost"),
        (output('{"name": 7, "kind": "web"}\n'), "another version of Roost"),
        (output(stderr="python: No module named roost.app\n"), "has no Roost"),
        (
            output(
                stderr="python: Error while finding module specification for 'roost.app' "
                "(ModuleNotFoundError: No module named 'roost')\n"
            ),
            "has no Roost",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_launcher_that_gives_no_answer_is_explained(left: LauncherOutput, said: str) -> None:
    with pytest.raises(BadApp, match=said):
        read_description(left, "/a")
