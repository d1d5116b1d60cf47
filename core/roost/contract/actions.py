"""The table of actions: the source of keys, palette, help, read-only mode, audit names and verbs.

The front end adds a key and a label to each; a test joins the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class ActionScope(StrEnum):
    """What an action acts on."""

    BUNDLE = "bundle"
    RUN = "run"
    WORKSPACE = "workspace"
    DAEMON = "daemon"


class Risk(IntEnum):
    """What an action may cost; confirmations follow from it."""

    READS = 0
    REVERSIBLE = 1
    INTERRUPTS = 2
    DESTROYS = 3


class Role(StrEnum):
    """Who may do it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do."""

    id: str
    """Stable name, also the audit name: ``bundle.respawn``."""
    scope: ActionScope
    risk: Risk
    role: Role
    verb: str
    """Words of the command line that do the same, such as ``run stop``."""


_TABLE = (
    Action("bundle.list", ActionScope.BUNDLE, Risk.READS, Role.VIEWER, "ps"),
    Action("bundle.logs", ActionScope.BUNDLE, Risk.READS, Role.VIEWER, "logs"),
    Action("bundle.show", ActionScope.BUNDLE, Risk.READS, Role.VIEWER, "show"),
    Action("bundle.why", ActionScope.BUNDLE, Risk.READS, Role.VIEWER, "why"),
    Action("bundle.add", ActionScope.WORKSPACE, Risk.REVERSIBLE, Role.OPERATOR, "add"),
    Action("bundle.import", ActionScope.WORKSPACE, Risk.REVERSIBLE, Role.OPERATOR, "import"),
    Action("bundle.versions", ActionScope.BUNDLE, Risk.READS, Role.VIEWER, "versions"),
    Action("bundle.upgrade", ActionScope.BUNDLE, Risk.INTERRUPTS, Role.OPERATOR, "upgrade"),
    Action("bundle.rollback", ActionScope.BUNDLE, Risk.INTERRUPTS, Role.OPERATOR, "rollback"),
    Action("bundle.pin", ActionScope.BUNDLE, Risk.INTERRUPTS, Role.OPERATOR, "pin"),
    Action("bundle.remove", ActionScope.BUNDLE, Risk.DESTROYS, Role.OPERATOR, "remove"),
    Action("bundle.settings", ActionScope.BUNDLE, Risk.REVERSIBLE, Role.OPERATOR, "set"),
    Action("bundle.start", ActionScope.BUNDLE, Risk.REVERSIBLE, Role.OPERATOR, "start"),
    Action("bundle.stop", ActionScope.BUNDLE, Risk.INTERRUPTS, Role.OPERATOR, "stop"),
    Action("bundle.respawn", ActionScope.BUNDLE, Risk.INTERRUPTS, Role.OPERATOR, "respawn"),
    Action("bundle.credentials", ActionScope.BUNDLE, Risk.INTERRUPTS, Role.OPERATOR, "credentials"),
    Action("bundle.tools", ActionScope.BUNDLE, Risk.READS, Role.VIEWER, "tools"),
    Action("bundle.call", ActionScope.BUNDLE, Risk.REVERSIBLE, Role.OPERATOR, "call"),
    Action("run.list", ActionScope.RUN, Risk.READS, Role.VIEWER, "runs"),
    Action("run.show", ActionScope.RUN, Risk.READS, Role.VIEWER, "run show"),
    Action("run.follow", ActionScope.RUN, Risk.READS, Role.VIEWER, "run follow"),
    Action("run.stop", ActionScope.RUN, Risk.INTERRUPTS, Role.OPERATOR, "run stop"),
    Action("run.retry", ActionScope.RUN, Risk.REVERSIBLE, Role.OPERATOR, "run retry"),
    Action("run.replace", ActionScope.RUN, Risk.INTERRUPTS, Role.OPERATOR, "run replace"),
    Action("run.exec", ActionScope.WORKSPACE, Risk.REVERSIBLE, Role.OPERATOR, "exec"),
    Action("run.resume", ActionScope.RUN, Risk.REVERSIBLE, Role.OPERATOR, "run resume"),
    Action("task.list", ActionScope.WORKSPACE, Risk.READS, Role.VIEWER, "task list"),
    Action("task.submit", ActionScope.WORKSPACE, Risk.REVERSIBLE, Role.OPERATOR, "task submit"),
    Action("schedule.list", ActionScope.WORKSPACE, Risk.READS, Role.VIEWER, "schedule list"),
    Action("schedule.put", ActionScope.WORKSPACE, Risk.REVERSIBLE, Role.OPERATOR, "schedule put"),
    Action(
        "schedule.pause", ActionScope.WORKSPACE, Risk.REVERSIBLE, Role.OPERATOR, "schedule pause"
    ),
    Action(
        "schedule.resume", ActionScope.WORKSPACE, Risk.REVERSIBLE, Role.OPERATOR, "schedule resume"
    ),
    Action("schedule.fire", ActionScope.WORKSPACE, Risk.REVERSIBLE, Role.OPERATOR, "schedule fire"),
    Action(
        "schedule.remove", ActionScope.WORKSPACE, Risk.REVERSIBLE, Role.OPERATOR, "schedule remove"
    ),
    Action("snapshot.list", ActionScope.BUNDLE, Risk.READS, Role.VIEWER, "snapshot list"),
    Action("snapshot.show", ActionScope.BUNDLE, Risk.READS, Role.VIEWER, "snapshot show"),
    Action("snapshot.build", ActionScope.BUNDLE, Risk.REVERSIBLE, Role.OPERATOR, "snapshot build"),
    Action(
        "snapshot.verify", ActionScope.BUNDLE, Risk.REVERSIBLE, Role.OPERATOR, "snapshot verify"
    ),
    Action(
        "snapshot.remove", ActionScope.BUNDLE, Risk.REVERSIBLE, Role.OPERATOR, "snapshot remove"
    ),
    Action(
        "snapshot.policy", ActionScope.BUNDLE, Risk.REVERSIBLE, Role.OPERATOR, "snapshot policy"
    ),
    Action("workspace.list", ActionScope.WORKSPACE, Risk.READS, Role.VIEWER, "workspace list"),
    Action(
        "workspace.create", ActionScope.WORKSPACE, Risk.REVERSIBLE, Role.ADMIN, "workspace create"
    ),
    Action("daemon.status", ActionScope.DAEMON, Risk.READS, Role.VIEWER, "status"),
    Action("daemon.doctor", ActionScope.DAEMON, Risk.READS, Role.VIEWER, "doctor"),
    Action("vault.show", ActionScope.DAEMON, Risk.READS, Role.VIEWER, "vault show"),
    Action("vault.rotate", ActionScope.DAEMON, Risk.REVERSIBLE, Role.ADMIN, "vault rotate"),
    Action("daemon.stop", ActionScope.DAEMON, Risk.INTERRUPTS, Role.ADMIN, "down"),
)

ACTIONS: dict[str, Action] = {entry.id: entry for entry in _TABLE}
"""Every action by its id."""


def action(action_id: str) -> Action:
    """Return the action with this id; an unknown id is a programming error (`KeyError`)."""
    return ACTIONS[action_id]
