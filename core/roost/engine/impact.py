"""What an interrupting action on a bundle would cut, computed before it is confirmed."""

from __future__ import annotations

from collections.abc import Iterable

from roost.errors import BadInput
from roost.models import BundleKind, Impact
from roost.models.handover import hands_over
from roost.supervision import BundleSlot

_ENDS = frozenset({"bundle.stop", "bundle.remove"})
_REPLACES = frozenset({"bundle.respawn", "bundle.credentials"})

UNSEEN = "what it is doing cannot be seen from here"


def check_action(action: str) -> None:
    """Refuse an action that interrupts no bundle.

    Raises:
        BadInput: it is none of those that do.
    """
    if action not in _ENDS | _REPLACES:
        known = ", ".join(sorted(_ENDS | _REPLACES))
        raise BadInput(f"{action!r} interrupts no bundle; ask about one of {known}")


async def impact_of(
    slot: BundleSlot, slots: Iterable[BundleSlot], run_ids: tuple[str, ...], action: str
) -> Impact:
    """Return what an action would cut right now.

    Args:
        slot: the bundle.
        slots: all bundles, to find those that depend on it.
        run_ids: its active runs.
        action: id of the action.
    """
    is_protected = slot.definition.settings.protected
    incarnation = slot.incarnation
    if incarnation is None:
        return Impact(run_ids, True, is_protected, _cut_sentence(len(run_ids), 0))
    if action in _REPLACES and hands_over(slot.definition):
        drain_s = slot.definition.settings.drain_s
        return Impact((), True, is_protected, handover_sentence(len(run_ids), drain_s, action))
    kind = slot.definition.kind
    clients = await incarnation.process.clients() or 0 if kind is BundleKind.WEB else 0
    dependents = running_dependents(slot, slots)
    if kind is BundleKind.WORKER:
        told = _worker_sentence(len(run_ids), len(dependents))
        return Impact(run_ids, True, is_protected, told, dependents=dependents)
    is_known = kind in (BundleKind.MCP_STDIO, BundleKind.MCP_HTTP)
    sentence = cut_sentence(len(run_ids), clients, len(dependents), is_known=is_known)
    return Impact(run_ids, is_known, is_protected, sentence, clients, dependents)


def running_dependents(slot: BundleSlot, slots: Iterable[BundleSlot]) -> tuple[str, ...]:
    """Return the running bundles that are started after this one, or after one that is."""
    beside = [other for other in slots if other.workspace == slot.workspace]
    found, grown = {slot.name}, True
    while grown:
        more = {
            other.name
            for other in beside
            if other.name not in found and not found.isdisjoint(other.definition.after)
        }
        grown = bool(more)
        found |= more
    return tuple(
        sorted(other.name for other in beside if other.name in found - {slot.name} if _is_up(other))
    )


def _is_up(slot: BundleSlot) -> bool:
    return slot.incarnation is not None


def cut_sentence(runs: int, clients: int, dependents: int, *, is_known: bool) -> str:
    """Say what is cut; nothing where nothing is."""
    cut = _cut_sentence(runs, clients)
    parts = [cut]
    if not is_known:
        parts.append(UNSEEN.replace("what it", "what else it") if cut else UNSEEN)
    parts.append(_dependents_words(dependents))
    return "; ".join(filter(None, parts))


def _worker_sentence(runs: int, dependents: int) -> str:
    """Say what becomes of the runs of a worker: it gives them back, and their tasks decide."""
    given = f"interrupts {_count(runs, 'run')}, to go on or end as the task says" if runs else ""
    return "; ".join(filter(None, (given, _dependents_words(dependents))))


def _dependents_words(dependents: int) -> str:
    if not dependents:
        return ""
    return f"{_count(dependents, 'bundle')} depend{'s' * (dependents == 1)} on it"


def _cut_sentence(runs: int, clients: int) -> str:
    cut = [_count(number, what) for number, what in ((runs, "run"), (clients, "client")) if number]
    return f"cuts {' and '.join(cut)}" if cut else ""


def handover_sentence(runs: int, drain_s: float, action: str) -> str:
    """Say what becomes of the runs that a handover meets; nothing where there is none."""
    if not runs:
        return ""
    told = f"cuts nothing: {_count(runs, 'run')} may go on for {drain_s:g} s"
    if action == "bundle.credentials":
        told += ", but clearing a sensitive field ends the process at once"
    return told


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
