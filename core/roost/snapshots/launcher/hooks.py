"""The hooks of apps that know about snapshots, from the registry that AWS's package holds.

Apps register them as for Lambda SnapStart, with `snapshot_restore_py`. It is not imported here: an
app that has hooks has loaded it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

REGISTRY = "snapshot_restore_py"


class Hook(NamedTuple):
    """One registered call."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def name(self) -> str:
        return getattr(self.function, "__qualname__", type(self.function).__name__)


class HookFailed(Exception):
    """A hook raised; tells which one and what, and nothing of what it said.

    What it said may hold anything, and this is told outside the process.
    """

    def __init__(self, phase: str, hook: Hook, error: BaseException) -> None:
        super().__init__(f"its {phase} hook {hook.name} raised {type(error).__name__}")


def are_registered() -> bool:
    """Whether anything is to be run after a restore."""
    return bool(_registered("get_after_restore"))


def before_snapshot() -> None:
    """Run the hooks that let go of what a copy must not share, the last registered first.

    Raises:
        HookFailed: one of them raised; the rest did not run.
    """
    _run("before_snapshot", list(reversed(_registered("get_before_snapshot"))))


def after_restore() -> None:
    """Run the hooks of a restored process, in the order of registration.

    Raises:
        HookFailed: one of them raised; the rest did not run.
    """
    _run("after_restore", _registered("get_after_restore"))


def _registered(getter: str) -> list[Hook]:
    registry = sys.modules.get(REGISTRY)
    if registry is None:
        return []
    return [Hook(*entry) for entry in getattr(registry, getter)()]


def _run(phase: str, hooks: list[Hook]) -> None:
    for hook in hooks:
        try:
            hook.function(*hook.args, **hook.kwargs)
        except BaseException as error:
            raise HookFailed(phase, hook, error) from error
