"""`NodeRuntime`: what the Node of a bundle says about itself, asked by running it once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from roost.doctor.ask_program import ask
from roost.models import Reason
from roost.snapshots.interpreter import NO_ANSWER
from roost.snapshots.stamps import FileStamp, stamp

CLAIMED = (20, 22, 24)
"""Versions with what the loaders use: dynamic imports of compiled scripts, startup snapshots."""

_ASK = (
    "JSON.stringify([process.release.name, process.versions.node, process.versions.v8, "
    "process.arch, typeof require('vm').constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER, "
    "process.config.variables.node_use_node_snapshot !== false])"
)

_ANSWER_PARTS = 6

_BOUND_S = 20.0
"""It answers in 30 ms, and in some hundred on a machine that is busy with a boot."""


@dataclass(frozen=True, slots=True)
class NodeRuntime:
    """The Node of a bundle."""

    version: str
    """Of Node, of V8 and of the processor, as one text."""
    major: int
    has_startup_snapshots: bool
    """Whether it was built so that it can be restored from one."""


class NodeRuntimes:
    """Asks each Node once while it is the same file."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[FileStamp | None, NodeRuntime | Reason]] = {}

    def ask(
        self, path: str, env: Mapping[str, str], *, quick: bool = False
    ) -> NodeRuntime | Reason | None:
        """Return what a Node is, or why nothing can be prepared under it; may run it.

        Args:
            path: absolute.
            env: its whole environment; holds no credential.
            quick: whether to return None rather than run it.
        """
        now = stamp(path)
        before = self._asked.get(path)
        if before is not None and before[0] == now:
            return before[1]
        if quick:
            return None
        # Options in NODE_OPTIONS are the program's business; an answer needs none.
        asked = {name: value for name, value in env.items() if name != "NODE_OPTIONS"}
        answer = _read(path, ask((path, "-p", _ASK), asked, seconds=_BOUND_S).text)
        if not (isinstance(answer, Reason) and answer.code == NO_ANSWER):  # it may answer later
            self._asked[path] = (now, answer)
        return answer


def _read(path: str, text: str) -> NodeRuntime | Reason:
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if not isinstance(told, list) or len(told) != _ANSWER_PARTS:
        return Reason(NO_ANSWER, f"{path} did not answer as a Node does; install Node again")
    name, version, v8, processor, loader, has_startup_snapshots = told
    major = int(version.partition(".")[0])
    if name != "node" or major not in CLAIMED or loader == "undefined":
        claimed = ", ".join(map(str, CLAIMED))
        return Reason(
            "unclaimed_node",
            f"{path} is {name} {version}; snapshots are made under the newest Node of {claimed}, "
            "so give the bundle one of these",
        )
    return NodeRuntime(f"{version} with V8 {v8} on {processor}", major, has_startup_snapshots)
