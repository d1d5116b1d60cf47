"""The launchers: one resolver for all of them, and what they say when there is no app."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.app.running import when_serving
from tests.support.app_imports import forget_modules

from roost import App, load_for_snapshot
from roost.app.launch import load_app, main
from roost.errors import RoostError
from roost.lifecycle.entry import resolve_entry

pytestmark = pytest.mark.usefixtures("clean_imports")

Launch = Callable[[str | None, Path], str]
"""Starts an app in its way; returns the app's name, or the sentence that says why it did not."""

NAMED = """
from roost import App
{attribute} = App({name!r})
@{attribute}.worker
async def job():
    print("name:", {name!r})
"""


def by_snapshot(entry: str | None, directory: Path) -> str:
    try:
        app = load_for_snapshot(entry, directory)
    except RoostError as error:
        return error.message
    app.close()
    return app.name


@pytest.fixture
def by_command(capsys: pytest.CaptureFixture[str]) -> Launch:
    """Launch as ``python -m roost.app`` does, in this process."""

    def launch(entry: str | None, directory: Path) -> str:
        option = [] if entry is None else [entry]
        forget_modules(directory)
        status = main([*option, "--directory", str(directory)])
        said = capsys.readouterr()
        if status == 0:
            return said.out.strip().removeprefix("name: ")
        assert said.out == ""
        return said.err.strip().splitlines()[-1]

    return launch


@pytest.fixture(params=["snapshot", "command"])
def launch(request: pytest.FixtureRequest, by_command: Launch) -> Launch:
    return by_command if request.param == "command" else by_snapshot


def write(directory: Path, name: str, *, app: str, attribute: str = "app") -> None:
    (directory / name).write_text(NAMED.format(name=app, attribute=attribute))


def test_the_option_wins_then_the_file_then_the_built_in_name(
    launch: Launch, tmp_path: Path
) -> None:
    write(tmp_path, "lab_option.py", app="by option")
    write(tmp_path, "lab_file.py", app="by file")
    write(tmp_path, "lab_project.py", app="by project")
    write(tmp_path, "main.py", app="built in")
    (tmp_path / "roost.toml").write_text('entry = "lab_file"\n')
    (tmp_path / "pyproject.toml").write_text('[tool.roost]\nentry = "lab_project.py:app"\n')
    assert launch("lab_option:app", tmp_path) == "by option"
    assert launch(None, tmp_path) == "by file"
    (tmp_path / "roost.toml").unlink()
    assert launch(None, tmp_path) == "by project"
    (tmp_path / "pyproject.toml").unlink()
    assert launch(None, tmp_path) == "built in"


def test_an_app_may_have_any_name_in_its_module(launch: Launch, tmp_path: Path) -> None:
    write(tmp_path, "lab_app.py", app="greeter", attribute="site")
    assert launch("lab_app.py", tmp_path) == "greeter"
    assert launch("lab_app.py:site", tmp_path) == "greeter"
    assert launch("lab_app:site", tmp_path) == "greeter"


def test_a_malformed_file_is_named(launch: Launch, tmp_path: Path) -> None:
    write(tmp_path, "app.py", app="built in")
    (tmp_path / "roost.toml").write_text("entry = app.py\n")
    assert f"{tmp_path}/roost.toml is no valid TOML" in launch(None, tmp_path)


def test_without_an_entry_all_that_was_looked_for_is_named(launch: Launch, tmp_path: Path) -> None:
    said = launch(None, tmp_path)
    for looked_for in ("roost.toml", "[tool.roost]", "pyproject.toml", "app.py", "main.py"):
        assert looked_for in said


def test_a_module_without_an_app_is_named_with_what_was_looked_for(
    launch: Launch, tmp_path: Path
) -> None:
    (tmp_path / "lab_app.py").write_text("x = 1\n")
    assert "has nothing of type App: looked for 'app' and" in launch("lab_app.py", tmp_path)
    assert "names 'site', which is not there" in launch("lab_app.py:site", tmp_path)
    assert "there is no module 'lab_missing'" in launch("lab_missing", tmp_path)


@pytest.mark.parametrize(
    ("entry", "status"), [("lab_missing", 2), ("missing.py", 2), ("a b", 2), ("lab_broken.py", 1)]
)
def test_the_status_tells_a_wrong_entry_from_a_broken_app(
    entry: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lab_broken.py").write_text("def work():\n    1 / 0\nwork()\n")
    assert main([entry, "--directory", str(tmp_path)]) == status
    told = capsys.readouterr().err
    assert ("Traceback" in told) == (status == 1)
    if status == 1:
        assert "line 2, in work" in told and "roost/lifecycle" not in told


def test_an_app_finds_its_file_where_a_script_finds_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "lab_app.py", app="greeter")
    with (tmp_path / "lab_app.py").open("a") as file:
        file.write("import sys\nprint(sys.argv, sys.path[0])\n")
    assert main(["lab_app.py", "--directory", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"[{str(tmp_path / 'lab_app.py')!r}] {tmp_path}\n")


def test_a_module_that_runs_its_app_unguarded_runs_it_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "lab_app.py", app="greeter")
    with (tmp_path / "lab_app.py").open("a") as file:
        file.write("status = app.run()\n")
    assert main(["lab_app.py", "--directory", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "name: greeter\n"


def test_a_launched_app_knows_its_entry(tmp_path: Path) -> None:
    write(tmp_path, "lab_app.py", app="greeter")
    app = load_app(resolve_entry("lab_app:app", tmp_path))
    assert app.entry == "lab_app:app"
    assert isinstance(when_serving(app), App)
    assert sys.path[0] == str(tmp_path)
