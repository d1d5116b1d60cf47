"""Starts the process of a template: its command, its spec, its environment, its control socket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import uuid
from pathlib import Path
from typing import Protocol

from roost.drivers.adopted import ForkedProcess
from roost.drivers.base import DriverProcess, Mark, SpawnSpec
from roost.drivers.pipes import ChildEnds
from roost.errors import RoostError, TemplateFailed
from roost.snapshots.backend import TemplatePlan
from roost.snapshots.launcher import wire

TEMPLATE, STANDBY = "template", "standby"
"""The launcher's modes in which it loads a bundle's code and waits."""

PADDING_BYTES = 4096
"""Room for the command line that a restored process shows."""

_LAUNCHER = str(Path(__file__).with_name("launcher"))


class Adopter(Protocol):
    """The driver's side: starts processes and takes over forked ones."""

    def spawn(self, spec: SpawnSpec) -> DriverProcess: ...

    async def connect(self, process: DriverProcess) -> None: ...

    def adopt(self, forked: ForkedProcess, mark: Mark) -> DriverProcess: ...

    def hand_over(
        self, process: DriverProcess, ends: ChildEnds | None, mark: Mark
    ) -> DriverProcess: ...


def new_generation(mode: str) -> str:
    """Return an id that is longer than a start's.

    A restored process shows its own mark in the room that this one takes.
    """
    return f"{mode}-{uuid.uuid4().hex}{uuid.uuid4().hex}"


def spawn_template(
    driver: Adopter, plan: TemplatePlan, mark: Mark, *, forks: bool = True
) -> tuple[DriverProcess, socket.socket]:
    """Start a template, or a standby; return it and our end of its control socket.

    Args:
        driver: owns it.
        plan: what it loads.
        mark: whose it is.
        forks: whether it forks for every start, or becomes the one process that is started.

    Raises:
        TemplateFailed: its interpreter cannot be started.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with contextlib.ExitStack() as until_started:
        until_started.callback(theirs.close)
        told = json.dumps(_spec(plan, theirs.fileno(), forks=forks))
        memory = wire.in_memory(told.encode("ascii"))
        until_started.callback(os.close, memory)
        mode = TEMPLATE if forks else STANDBY
        padding = f"{mode} of {mark.workspace}/{mark.bundle}".ljust(PADDING_BYTES)
        argv = (plan.interpreter, *plan.flags, _LAUNCHER, mode, str(memory), padding)
        try:
            inherited = (memory, theirs.fileno())
            spec = SpawnSpec(argv, _environment(plan), plan.cwd, mark, inherited=inherited)
            return driver.spawn(spec), ours
        except RoostError as error:
            ours.close()
            raise TemplateFailed(error.message) from error


def _spec(plan: TemplatePlan, control_fd: int, *, forks: bool) -> wire.Message:
    canary = plan.canary
    return {
        "format": wire.FORMAT,
        "kind": plan.kind,
        "target": plan.target,
        "modules": plan.modules,
        "paths": plan.paths,
        "path0": plan.path0,
        "exclude": plan.exclude,
        "control_fd": control_fd,
        "forks": forks,
        "hooks": True,
        "canary": None if canary is None else {"name": canary[0], "value": canary[1]},
        "environ_copied": plan.is_environ_copied,
        "compare": plan.compare,
    }


def _environment(plan: TemplatePlan) -> dict[str, str]:
    env = dict(plan.env)
    if plan.canary is not None:
        name, value = plan.canary
        env[name] = value
    if plan.compare:
        env["PYTHONHASHSEED"] = "0"
    return env
