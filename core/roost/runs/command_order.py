"""What a command is begun with: checked, rendered for this machine, and as its run keeps it."""

from __future__ import annotations

import math
import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from roost.errors import BadInput, CommandNotFound, StoreUnavailable
from roost.models import ExecRequest, RunKind
from roost.runs.values import RunRequest

NAME_LIMIT = 200
"""Characters of a title, a scope or an idempotency key; all of them stand in every view."""

LONGEST_S = 366 * 86_400.0
"""Seconds of the longest time limit or grace."""

_OURS = "ROOST_"
"""Variables of the daemon and the marks of its children."""


@dataclass(frozen=True, slots=True)
class CommandOrder:
    """One command as it is started. Times are in seconds."""

    argv: tuple[str, ...]
    env: dict[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    directory: str
    time_limit_s: float | None
    stop_grace_s: float
    stop_when_unwatched: bool

    @property
    def name(self) -> str:
        """Name of the program, for sentences."""
        return os.path.basename(self.argv[0]) or self.argv[0]


def check_command(request: ExecRequest, scrub: Callable[[str], str]) -> None:
    """Refuse a command that cannot be begun as asked.

    Args:
        scrub: takes the values of `env` out of a text.

    Raises:
        BadInput: something does not fit; no value of `env` is in the sentence.
    """
    if not request.command or not request.command[0]:
        raise BadInput("a command needs at least the name of a program; nothing was begun")
    if any("\0" in part for part in request.command):
        raise BadInput("an argument holds a null byte, which no program can be given")
    _check_env(request.env)
    if any(scrub(part) != part for part in request.command):
        raise BadInput(
            "an argument holds the value of a variable that is kept secret; arguments are visible "
            "to every user of the machine, let the program read the variable instead"
        )
    _check_seconds("time limit", request.time_limit_s, least=0.001)
    _check_seconds("stop grace", request.stop_grace_s, least=0.0)
    for what, given in (
        ("title", request.title),
        ("scope", request.scope),
        ("idempotency key", request.idempotency_key),
    ):
        _check_name(what, given, scrub)


def run_request(workspace: str, request: ExecRequest, actor: str) -> RunRequest:
    """Return the run of a command; of its variables only the names are kept."""
    return RunRequest(
        workspace=workspace,
        kind=RunKind.COMMAND,
        title=request.title or _title(request.command),
        input={
            "command": list(request.command),
            "directory": request.directory,
            "env": sorted(request.env),
            "time_limit_s": request.time_limit_s,
            "stop_grace_s": request.stop_grace_s,
            "stop_when_unwatched": request.stop_when_unwatched,
        },
        scope=request.scope,
        created_by=actor,
        idempotency_key=request.idempotency_key,
        parent=request.parent,
    )


def place_command(request: ExecRequest, base_env: Mapping[str, str], own: Path) -> CommandOrder:
    """Find the program and the directory of a command. Blocks: call it in a thread.

    Args:
        base_env: what every child sees of the daemon's environment.
        own: the workspace's own directory, made when it is needed.

    Raises:
        CommandNotFound: there is no such program.
        BadInput: the directory is not absolute or does not exist.
        StoreUnavailable: the workspace's own directory cannot be made.
    """
    directory = _made(own) if request.directory is None else _existing(request.directory)
    env = dict(base_env) | request.env
    program = request.command[0]
    asked = os.path.join(directory, program) if os.sep in program else program
    if shutil.which(asked, path=env.get("PATH", os.defpath)) is None:
        raise CommandNotFound(program)
    return CommandOrder(
        argv=request.command,
        env=env,
        secrets=tuple(request.env.values()),
        directory=directory,
        time_limit_s=request.time_limit_s,
        stop_grace_s=request.stop_grace_s,
        stop_when_unwatched=request.stop_when_unwatched,
    )


def _check_env(env: Mapping[str, str]) -> None:
    for name, value in env.items():
        if not name or "=" in name or "\0" in name or not name.isprintable():
            raise BadInput("a variable has no proper name; use letters, digits and _")
        if name.startswith(_OURS):
            raise BadInput(f"{name} is Roost's own; choose a name that does not begin with {_OURS}")
        if "\0" in value:
            raise BadInput(f"the value of {name} holds a null byte, which no program can be given")


def _check_seconds(what: str, given: float | None, *, least: float) -> None:
    if given is not None and not (math.isfinite(given) and least <= given <= LONGEST_S):
        raise BadInput(
            f"the {what} must be a number of seconds from {least:g} to {LONGEST_S:g}; nothing was "
            "begun"
        )


def _check_name(what: str, given: str | None, scrub: Callable[[str], str]) -> None:
    if given is None:
        return
    if not (0 < len(given) <= NAME_LIMIT and given.isprintable()):
        raise BadInput(f"the {what} must have 1 to {NAME_LIMIT} printable characters")
    if scrub(given) != given:
        raise BadInput(f"the {what} holds the value of a variable that is kept secret")


def _title(command: tuple[str, ...]) -> str:
    text = shlex.join(command)
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if len(shown) <= NAME_LIMIT else shown[: NAME_LIMIT - 1] + "…"


def _made(own: Path) -> str:
    try:
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"the directory {own} of the workspace's commands cannot be made ({error.strerror}); "
            "make way for it or give another directory, then try again"
        ) from error
    return str(own)


def _existing(directory: str) -> str:
    if "\0" in directory or not os.path.isabs(directory):
        raise BadInput("the directory of a command must be an absolute path; nothing was begun")
    if not os.path.isdir(directory):
        raise BadInput(
            f"there is no directory {directory!r}; create it or choose another one",
            directory=directory,
        )
    return directory
