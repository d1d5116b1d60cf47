"""Asking a program for its version, and ending it when it does not answer."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

ANSWER_S = 5.0
"""A version takes milliseconds; a wrapper that looks things up first, a second or two."""

REAP_S = 1.0
"""A killed program is gone at once, unless it waits for a disk that does not answer."""

KEPT = 4096
"""Characters of the answer that are kept."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program printed, or why it did not."""

    text: str = ""
    trouble: str = ""


def ask(argv: Sequence[str], environ: Mapping[str, str], *, seconds: float = ANSWER_S) -> Answer:
    """Run a program and return its standard output; blocks.

    Args:
        argv: an absolute path and its arguments.
        environ: the whole environment it gets.
        seconds: how long it may take.
    """
    try:
        # A group of its own, so that what it started ends with it; not a session of its own, by
        # which the daemon tells what its bundles left behind.
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            cwd="/",
            process_group=0,
            text=True,
            errors="replace",
        )
    except OSError as error:
        return Answer(trouble=f"it cannot be executed ({error.strerror})")
    try:
        text, _ = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return Answer(trouble=f"it had not answered after {seconds:g} s and was ended")
    finally:
        _end(child)
    if child.returncode != 0:
        return Answer(trouble=f"it ended with {_status(child.returncode)}")
    return Answer(text[:KEPT])


def _end(child: subprocess.Popen[str]) -> None:
    """End whatever is left of the program's group and reap the program."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    if child.stdout is not None:  # not read to its end: who left the group may keep it open
        child.stdout.close()
    with suppress(subprocess.TimeoutExpired):
        child.wait(REAP_S)


def _status(returncode: int) -> str:
    if returncode < 0:
        return f"signal {signal.Signals(-returncode).name}"
    return f"status {returncode}"
