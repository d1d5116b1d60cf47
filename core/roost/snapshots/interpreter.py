"""`Interpreter`: what the Python of a bundle says about itself, asked by running it once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from roost.doctor.ask_program import ask
from roost.models import Reason
from roost.snapshots.entry import Entry

CLAIMED = ((3, 11), (3, 12), (3, 13))
"""Versions on which everything that a guard looks for was proved to be found."""

_ASK = (
    "import json, sys, sysconfig; print(json.dumps([sys.implementation.name, "
    "list(sys.version_info[:3]), sys.version, sys.path[0 if sys.flags.safe_path else 1:], "
    "sysconfig.get_path('stdlib'), sys.prefix]))"
)
"""``-c`` puts an empty text first in `sys.path`, unless the path is safe."""

_ANSWER_PARTS = 6

_BOUND_S = 20.0
"""An interpreter answers in 20 ms, and in some hundred on a machine that is busy with a boot; only
builds and looks of an operator wait for it."""

NO_ANSWER = "no_interpreter"
"""Code of the reason that another time may not be there."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python of a bundle, started with the bundle's own flags."""

    version: str
    """`sys.version`: it tells one build of a version from another."""
    minor: tuple[int, int]
    paths: tuple[str, ...]
    """`sys.path` without what an entry puts first."""
    library: str
    """Directory of the standard library."""
    prefix: str


def ask_interpreter(entry: Entry, env: Mapping[str, str]) -> Interpreter | Reason:
    """Run an entry's interpreter once and return what it is; blocks for some 20 ms.

    Args:
        entry: names the interpreter and its flags.
        env: its whole environment; holds no credential.

    Returns:
        A reason when it does not answer, or when there can be no snapshot under it.
    """
    answer = ask((entry.interpreter, *entry.flags, "-c", _ASK), env, seconds=_BOUND_S)
    if answer.trouble:
        return Reason(NO_ANSWER, f"{entry.interpreter} did not answer: {answer.trouble}")
    try:
        told = json.loads(answer.text.strip().splitlines()[-1])
    except (ValueError, IndexError):
        told = None
    if not isinstance(told, list) or len(told) != _ANSWER_PARTS:
        return Reason(
            NO_ANSWER, f"{entry.interpreter} does not answer as a Python does; correct it"
        )
    implementation, numbers, version, paths, library, prefix = told
    minor = (numbers[0], numbers[1])
    if implementation != "cpython" or minor not in CLAIMED:
        return _unclaimed(entry.interpreter, implementation, minor)
    return Interpreter(version, minor, tuple(paths), library, prefix)


def _unclaimed(path: str, implementation: str, minor: tuple[int, int]) -> Reason:
    claimed = ", ".join(f"{major}.{each}" for major, each in CLAIMED)
    return Reason(
        "unclaimed_python",
        f"{path} is {implementation} {minor[0]}.{minor[1]}; snapshots are made under CPython "
        f"{claimed}, so give the bundle one of these",
    )
