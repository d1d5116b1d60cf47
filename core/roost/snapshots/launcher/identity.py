"""What the system shows of a process: its command line, its name and its mark.

A forked process shows its parent's until it overwrites the memory in which the system looks. No
privilege is needed for that; only the room is fixed, which is why a template is started with a
padding argument.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

COMM_BYTES = 15
"""What the kernel keeps of a process's name."""

_ARG_START = 48 - 3
"""Index of the field after the name in ``/proc/self/stat``; three more follow it."""


class Area(NamedTuple):
    """A range of this process's memory."""

    start: int
    end: int


class Room(NamedTuple):
    """Where this process, and every copy of it, writes what the system shows of it."""

    arguments: Area
    variable: Area | None
    """A whole ``NAME=value``; None where the process was started without it."""

    @classmethod
    def of(cls, name: str) -> Room:
        """Find the room for the arguments and for one variable.

        It is found once, in the template: what a copy reads and writes, it pays for by the page.
        """
        arguments, variables = areas()
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            memory.seek(variables.start)
            shown = memory.read(variables.end - variables.start)
        at = variables.start
        for variable in shown.split(b"\0"):
            if variable.startswith(name.encode() + b"="):
                return cls(arguments, Area(at, at + len(variable)))
            at += len(variable) + 1
        return cls(arguments, None)


def areas() -> tuple[Area, Area]:
    """Return where the system looks for the arguments and for the environment."""
    with open("/proc/self/stat", "rb") as file:
        stat = file.read()
    fields = stat[stat.rfind(b")") + 2 :].split()
    numbers = [int(field) for field in fields[_ARG_START : _ARG_START + 4]]
    return Area(numbers[0], numbers[1]), Area(numbers[2], numbers[3])


def show_command(argv: Sequence[str], area: Area) -> None:
    """Show this command line instead of the template's; cut where the room ends."""
    line = b"".join(os.fsencode(word) + b"\0" for word in argv)
    room = area.end - area.start
    # The last byte has to stay null, or the system takes what follows for a part of it.
    line = line[: room - 1]
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(area.start)
        memory.write(line + bytes(room - len(line)))


def show_name(name: str) -> None:
    """Show this name, as lists of processes do."""
    with open("/proc/self/comm", "wb", buffering=0) as file:
        file.write(os.fsencode(name)[:COMM_BYTES])


def show_variable(name: str, value: str, area: Area | None) -> None:
    """Show another value of a variable that the template was started with.

    Raises:
        ValueError: it has no such variable, or a shorter one.
    """
    prefix, new = name.encode() + b"=", os.fsencode(value)
    if area is None:
        raise ValueError(f"the template was started without {name}")
    room = area.end - area.start - len(prefix)
    if len(new) > room:
        raise ValueError(f"{name} needs more room than the template has for it")
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(area.start)
        # What was loaded since may have written there, as programs do that set their own title.
        if memory.read(len(prefix)) != prefix:
            raise ValueError(f"the template shows {name} no longer")
        memory.write(new + bytes(room - len(new)))
