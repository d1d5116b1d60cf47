"""Real apps: none is refused, and only the modules that misbehave are left out.

Their packages are installed once into `.cache`; skipped where no package index is reached.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from tests.snapshots.guard_bench import CREDENTIAL, App, template, trace
from tests.support.cache_lock import cache_lock

from roost.models.snapshot import GuardAction
from roost.snapshots.backend import TemplateReport, Trace
from roost.snapshots.verdicts import GuardJudge

pytestmark = pytest.mark.real

CACHE = Path(__file__).parents[2] / ".cache" / "guards"

REQUIREMENTS = (
    "mcp-server-time==2026.10.19",
    "mcp-server-fetch==2026.10.24",
    "mcp-server-git==2026.10.19",
    "fastmcp==4.1.2",
    "fastapi==0.165.0",
    "uvicorn==0.54.0",
    "starlette==1.10.0",
    "pandas==3.1.1",
    "numpy==2.4.6",
)

INSTALL_BOUND_S = 300.0

ROUNDS = 3
"""Templates until none of its modules wants an excluded one; two are enough everywhere."""

HELLO = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
)

FASTMCP = """
from fastmcp import FastMCP

FastMCP("app").run(show_banner=False)
"""

FASTAPI = """
from fastapi import FastAPI

app = FastAPI()
"""

STARLETTE = """
import uvicorn
from starlette.applications import Starlette

uvicorn.run(Starlette(), port=0)
"""

PANDAS = """
import pandas

print(pandas.DataFrame({"number": [1, 2]}).sum())
"""

NUMPY = """
import numpy

print(numpy.ones((200, 200)) @ numpy.ones((200, 200)))
"""


@dataclass(frozen=True, slots=True)
class RealApp:
    """An app, how it shows that it is ready, and what is to be left out of its template."""

    make: Callable[[Path, Path], App]
    until: bytes | None = None
    say: str = ""
    leaves_out: frozenset[str] = frozenset()


def script(source: str) -> Callable[[Path, Path], App]:
    def make(programs: Path, folder: Path) -> App:
        path = folder / "main.py"
        path.write_text(source)
        return App(str(path), interpreter=str(programs / "python"), path0=str(folder))

    return make


def console(name: str) -> Callable[[Path, Path], App]:
    def make(programs: Path, _folder: Path) -> App:
        python = str(programs / "python")
        return App(str(programs / name), interpreter=python, path0=str(programs))

    return make


def module(name: str) -> Callable[[Path, Path], App]:
    def make(programs: Path, folder: Path) -> App:
        python = str(programs / "python")
        return App(name, kind="module", interpreter=python, path0=str(folder))

    return make


def uvicorn(source: str) -> Callable[[Path, Path], App]:
    def make(programs: Path, folder: Path) -> App:
        (folder / "web.py").write_text(source)
        argv = ("web:app", "--port", "0")
        python = str(programs / "python")
        return App(str(programs / "uvicorn"), argv, interpreter=python, path0=str(folder))

    return make


APPS = {
    "mcp-server-time": RealApp(console("mcp-server-time"), b"serverInfo", HELLO),
    "mcp-server-fetch": RealApp(console("mcp-server-fetch"), b"serverInfo", HELLO),
    "mcp-server-git": RealApp(module("mcp_server_git"), b"serverInfo", HELLO, frozenset({"git"})),
    "fastmcp": RealApp(script(FASTMCP), b"serverInfo", HELLO, frozenset({"fastmcp"})),
    "fastapi": RealApp(uvicorn(FASTAPI), b"Uvicorn running"),
    "starlette": RealApp(script(STARLETTE), b"Uvicorn running"),
    "pandas": RealApp(script(PANDAS)),
    "numpy": RealApp(script(NUMPY)),
    "empty": RealApp(script("import json\n")),
}

LIKE_OTHERS = ("mcp-server-time", "fastapi")
"""They import what other apps of these import, so only the full size has them."""

SIZED = [
    pytest.param(name, marks=pytest.mark.soak) if name in LIKE_OTHERS else name for name in APPS
]


@cache
def programs() -> Path | None:
    """Return the folder of programs of an environment with all packages; None when not had."""
    complete = CACHE / "complete"
    wanted = "\n".join((sys.version, *REQUIREMENTS))
    folder = CACHE / "venv" / "bin"
    with cache_lock(CACHE):
        if not complete.exists() or complete.read_text() != wanted:
            steps = (
                (sys.executable, "-m", "venv", "--clear", str(CACHE / "venv")),
                (str(folder / "python"), "-m", "pip", "install", "--quiet", *REQUIREMENTS),
            )
            if not all(_succeeds(step) for step in steps):
                return None
            complete.write_text(wanted)
    return folder


def _succeeds(argv: tuple[str, ...]) -> bool:
    done = subprocess.run(argv, capture_output=True, timeout=INSTALL_BOUND_S, check=False)
    return done.returncode == 0


def loaded_template(
    judge: GuardJudge, app: App, traced: Trace, exclude: set[str]
) -> tuple[TemplateReport, set[str]]:
    """Make templates until no module wants an excluded one, as a build does."""
    for _ in range(ROUNDS):
        names = [one.name for one in traced.modules if one.name not in exclude | {"__main__"}]
        report = template(app, names, exclude=exclude, canary=True)
        if not report.poisoned:
            return report, exclude
        exclude = exclude | set(report.poisoned)
    raise AssertionError(f"still poisoned: {report.poisoned}")


@pytest.mark.timeout(INSTALL_BOUND_S + 120)
@pytest.mark.parametrize("name", SIZED)
def test_a_real_app_is_prepared_without_what_misbehaves(name: str, tmp_path: Path) -> None:
    folder = programs()
    if folder is None:
        pytest.skip("no package index is reached to install real apps")
    real = APPS[name]
    app = real.make(folder, tmp_path)
    judge = GuardJudge(own_folder=str(tmp_path))
    traced = trace(app, until=real.until, say=(real.say + "\n").encode())
    verdict = judge.of_trace(traced, frozenset({CREDENTIAL}))
    report, excluded = loaded_template(judge, app, traced, set(verdict.exclude))
    assert judge.of_template(traced, report).findings == ()
    assert {one.module for one in verdict.findings} == real.leaves_out
    assert all(one.action is GuardAction.EXCLUDE for one in verdict.findings)
    assert excluded.issuperset(real.leaves_out)
    assert report.loaded == len(traced.modules) - len(excluded & {m.name for m in traced.modules})


def test_two_templates_of_a_real_app_differ_in_nothing_of_its_own(tmp_path: Path) -> None:
    folder = programs()
    if folder is None:
        pytest.skip("no package index is reached to install real apps")
    app = script(STARLETTE)(folder, tmp_path)
    traced = trace(app, until=b"Uvicorn running")
    names = [one.name for one in traced.modules]
    first, second = (template(app, names, compare=True) for _ in range(2))
    findings = GuardJudge(own_folder=str(tmp_path)).of_comparison(traced, first, second).findings
    assert first.reprs is not None and len(first.reprs) > 1000
    assert {one.action for one in findings} <= {GuardAction.WARN}
    assert {one.module for one in findings} == {"logging"}
