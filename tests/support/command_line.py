"""Runs the command line inside the test's own process."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

from roost.cli import main


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verb left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON value it must be."""
        return json.loads(self.out)


def no_screen(data_dir: str, workspace: str | None, is_read_only: bool) -> int:
    """Stand for the screen in tests that must not open it."""
    raise AssertionError("the screen was opened")


def roost(
    data_dir: str, *argv: str, environ: Mapping[str, str] | None = None, stdin: str = ""
) -> Outcome:
    """Run ``roost --data-dir DATA_DIR ARGV...`` without a terminal."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), _redirect_stdin(stdin):
        code = main(["--data-dir", data_dir, *argv], environ=environ or {}, open_screen=no_screen)
    return Outcome(code, out.getvalue(), err.getvalue())


@contextmanager
def _redirect_stdin(text: str) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.StringIO(text)
    try:
        yield
    finally:
        sys.stdin = before
