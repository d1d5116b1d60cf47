"""The supervisors under measurement, each behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from benchmarks.supervision import circus_subject, pm2_subject, roost_subject, supervisord_subject
from benchmarks.supervision.rivals import NotInstalled

Commands = dict[str, tuple[str, ...]]
"""Command of each child by its name."""


class Supervision(Protocol):
    """A supervisor that knows its children."""

    def begin(self) -> None:
        """Bring it up; it starts every child."""
        ...

    def pids(self) -> tuple[int, ...]:
        """Return its own processes, without the children."""
        ...

    def respawn_by_api(self, child: str) -> None:
        """Ask for a new process over a warm connection of its own kind."""
        ...

    def respawn_by_command(self, child: str) -> None:
        """Ask for a new process as a person does, by its command line."""
        ...

    def captured(self, child: str, last: int) -> bytes:
        """Return the last bytes of what it has kept of a child's output."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """A kind of supervisor."""

    name: str
    up: Callable[[Commands], AbstractContextManager[Supervision]]
    """Configures it with these children, and ends it with them at the end of the block."""


_MODULES = (roost_subject, supervisord_subject, circus_subject, pm2_subject)


def available_subjects() -> tuple[tuple[Subject, ...], dict[str, str]]:
    """Return what can be measured here, and why the rest cannot."""
    found, missing = [], {}
    for module in _MODULES:
        try:
            module.prepare()
        except NotInstalled as error:
            missing[module.NAME] = str(error)
        else:
            found.append(Subject(module.NAME, module.up))
    return tuple(found), missing
