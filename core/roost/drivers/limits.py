"""Resource limits of started programs, and none of the daemon's own by which a core is left."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import sys
from dataclasses import fields
from pathlib import Path

from roost.drivers.base import SpawnSpec
from roost.errors import BadInput, CommandNotFound
from roost.models import ResourceLimits

_KINDS = {
    "open_files": "RLIMIT_NOFILE",
    "processes": "RLIMIT_NPROC",
    "core_bytes": "RLIMIT_CORE",
    # The last one set: under it the launcher has hardly room for anything else.
    "memory_bytes": "RLIMIT_AS",
}

_LAUNCHER = str(Path(__file__).with_name("limited_program.py"))


def limited_argv(spec: SpawnSpec) -> tuple[str, ...]:
    """Return the command that starts a program within its limits: its own, when it has none.

    Raises:
        CommandNotFound: there is no such program.
        BadInput: a limit is higher than this daemon may set it.
    """
    limits = _given(spec.limits)
    if not limits or not spec.argv:
        return spec.argv
    if shutil.which(spec.argv[0], path=spec.env.get("PATH", os.defpath)) is None:
        raise CommandNotFound(spec.argv[0])
    _check(spec.argv[0], limits)
    plan = {
        "limits": dict(resource_limits(spec.limits)),
        "LC_CTYPE": spec.env.get("LC_CTYPE"),
    }
    # Isolated, so that no variable of the bundle's environment is meant for this interpreter.
    return (sys.executable, "-I", "-S", _LAUNCHER, json.dumps(plan), *spec.argv)


def resource_limits(limits: ResourceLimits) -> list[tuple[str, int]]:
    """Return the limits that are set by the system's names, in the order in which to set them."""
    return [(_KINDS[name], value) for name, value in _given(limits).items()]


def forbid_cores() -> tuple[int, int] | None:
    """Let neither this process nor, unless they are given a limit, its children leave a core.

    A core holds whatever stood in memory, credentials among it, and lies where nobody looks after
    it.

    Returns:
        The limit as it was, for `allow_cores`.
    """
    before = resource.getrlimit(resource.RLIMIT_CORE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
        return before
    return None


def allow_cores(before: tuple[int, int] | None) -> None:
    """Set the limit of this process back."""
    if before is not None:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, before)


def _given(limits: ResourceLimits) -> dict[str, int]:
    """Return the limits that are set, in the order in which the launcher sets them."""
    told = {entry.name: getattr(limits, entry.name) for entry in fields(limits)}
    return {name: told[name] for name in _KINDS if told[name] is not None}


def _check(command: str, limits: dict[str, int]) -> None:
    if os.geteuid() == 0:
        return  # may raise every limit
    for name, value in limits.items():
        highest = resource.getrlimit(getattr(resource, _KINDS[name]))[1]
        if highest != resource.RLIM_INFINITY and value > highest:
            raise BadInput(
                f"{command!r} cannot be started with the limit {name} {value}: this daemon may set "
                f"{highest} at most; lower it, or raise the daemon's own hard limit",
                command=command,
            )
