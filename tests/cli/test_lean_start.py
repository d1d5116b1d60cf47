"""What the verbs that are typed all day may load: little more than a bare interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.support.fake_engine import sample_engine
from tests.support.served_engine import served

BANNED = {
    "argparse",
    "asyncio",
    "dataclasses",
    "enum",
    "http.client",
    "httpx",
    "json",
    "msgspec",
    "pydantic",
    "re",
    "roost.errors",
    "roost.models",
    "socket",
    "textual",
    "typing",
}

MODULE_LIMIT = 40
"""Modules beyond those of a bare interpreter; each costs a quarter of a millisecond."""

PROGRAM = """
import sys
bare = set(sys.modules)
from roost_tui.__main__ import main
code = main()
print(code, *sorted(set(sys.modules) - bare), file=sys.stderr)
"""


@pytest.mark.parametrize("verb", [["ps"], ["status"], ["ps", "--json"], ["-w", "lab", "ps"]])
def test_ps_and_status_load_nothing_that_costs_time(verb: list[str]) -> None:
    with served(sample_engine()) as engine:
        program = _with_paths(PROGRAM)
        command = [sys.executable, "-I", "-S", "-c", program, "--data-dir", engine.data_dir, *verb]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    code, *loaded = done.stderr.split()
    assert code == "0"
    assert BANNED.isdisjoint(loaded)
    assert len(loaded) <= MODULE_LIMIT
    assert "running" in done.stdout


def test_a_bare_interpreter_has_nothing_of_what_is_banned() -> None:
    command = [sys.executable, "-I", "-S", "-c", "import sys; print(*sys.modules)"]
    bare = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert BANNED.isdisjoint(bare.stdout.split())


def _with_paths(program: str) -> str:
    """Without `site`, whose own imports would count, the paths must be given."""
    return f"import sys; sys.path += {[path for path in sys.path if path]!r}\n{program}"
