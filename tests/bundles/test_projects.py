"""What a `uv run` line of a bundle runs, and which lines stay with uv."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from roost.bundles.projects import project_run

PYPROJECT = '[project]\nname = "x"\nversion = "1"\n[project.scripts]\nmy-server = "x:main"\n'
PYTHON = "${prepared}/bin/python"
MAIN = "${__dirname}/src/main.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("print(1)\n")
    inline = "# /// script\n# dependencies = []\n# ///\n"
    (tmp_path / "src" / "inline.py").write_text(inline)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "command", "args"),
    [
        ("uv run --directory ${__dirname} src/main.py --x", PYTHON, ("-B", MAIN, "--x")),
        (
            "uv run --project ${__dirname} ${__dirname}/src/main.py",
            PYTHON,
            (
                "-B",
                MAIN,
            ),
        ),
        ("uv run src/main.py ${user_config.a}", PYTHON, ("-B", MAIN, "${user_config.a}")),
        ("uv run --directory ${__dirname} my-server -v", "${prepared}/bin/my-server", ("-v",)),
        ("uv run --directory ${__dirname} python -m x", PYTHON, ("-B", "-m", "x")),
        ("uv run --directory ${__dirname} -m x --y", PYTHON, ("-B", "-m", "x", "--y")),
        (
            "uv run --frozen --no-dev -- src/main.py",
            PYTHON,
            (
                "-B",
                MAIN,
            ),
        ),
    ],
)
def test_a_certain_line_runs_in_the_environment(
    folder: Path, line: str, command: str, args: tuple[str, ...]
) -> None:
    program, *rest = shlex.split(line)
    found = project_run(program, tuple(rest), folder)
    assert found is not None
    assert (found.command, found.args) == (command, args)


def test_further_requirements_and_the_python_are_kept(folder: Path) -> None:
    found = project_run("uv", ("run", "--with", "mcp<2", "-p", "3.12", "src/main.py"), folder)
    assert found is not None
    assert (found.requirements, found.python) == (("mcp<2",), "3.12")


@pytest.mark.parametrize(
    "line",
    [
        "python src/main.py",
        "/opt/uv run src/main.py",
        "uv sync",
        "uv run",
        "uv run --directory /srv/other src/main.py",
        "uv run --directory ${__dirname}/sub src/main.py",
        "uv run --directory ${__dirname} src/inline.py",
        "uv run --directory ${__dirname} src/missing.py",
        "uv run --directory ${__dirname} ../main.py",
        "uv run --directory ${__dirname} other-program",
        "uv run --env-file .env src/main.py",
        "uv run --extra all src/main.py",
        "uv run --python /opt/python src/main.py",
        "uv run --with ./lib src/main.py",
    ],
)
def test_a_line_that_is_not_certain_stays_with_uv(folder: Path, line: str) -> None:
    program, *rest = shlex.split(line)
    assert project_run(program, tuple(rest), folder) is None


def test_without_a_project_there_is_nothing_to_prepare(folder: Path) -> None:
    (folder / "pyproject.toml").unlink()
    assert project_run("uv", ("run", "src/main.py"), folder) is None
