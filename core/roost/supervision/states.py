"""The one table of moves a slot may make."""

from __future__ import annotations

from roost.models import SlotState as S

ALLOWED: dict[S, frozenset[S]] = {
    S.NEEDS_CREDENTIALS: frozenset({S.STARTING, S.STOPPED}),
    S.STOPPED: frozenset({S.STARTING, S.NEEDS_CREDENTIALS}),
    S.STARTING: frozenset(
        {S.RUNNING, S.DEAD, S.BACKING_OFF, S.STOPPING, S.STOPPED, S.NEEDS_CREDENTIALS}
    ),
    S.RUNNING: frozenset({S.STARTING, S.STOPPING, S.STOPPED, S.BACKING_OFF, S.DEAD}),
    S.STOPPING: frozenset({S.STOPPED, S.DEAD}),
    S.BACKING_OFF: frozenset({S.STARTING, S.STOPPED, S.NEEDS_CREDENTIALS}),
    S.DEAD: frozenset({S.STARTING, S.STOPPED, S.NEEDS_CREDENTIALS}),
}
"""From each state, the states that may follow. `stopping` is only for a deliberate stop."""


class IllegalMove(RuntimeError):
    """A move outside the table: a programming error, never an operator's."""


def check_move(before: S, after: S) -> None:
    """Refuse a move that the table does not hold.

    Raises:
        IllegalMove: `after` may not follow `before`.
    """
    if after not in ALLOWED[before]:
        raise IllegalMove(f"a slot cannot move from {before} to {after}")
