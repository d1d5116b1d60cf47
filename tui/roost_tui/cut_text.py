"""What an interruption would cut, in words, for the question before it."""

from __future__ import annotations

from collections.abc import Sequence

from roost.models import BundleView, Impact, SlotState
from roost_tui import render
from roost_tui.state import ScreenState

ALIVE = (SlotState.STARTING, SlotState.RUNNING, SlotState.STOPPING)

NAMED = 3
"""Runs and bundles that a question names; the rest are counted."""

UNKNOWN_CUT = "what it is doing right now cannot be seen from outside; it would be cut"


def cut_text(bundle: BundleView, impact: Impact) -> str:
    """Return what an interruption would cut, or nothing when there is nothing to ask about."""
    is_unseen = bundle.state in ALIVE and not impact.is_known
    if not (impact.run_ids or impact.clients or impact.dependents or is_unseen):
        return ""
    sentence = impact.sentence or UNKNOWN_CUT
    said = f"It {sentence}" if impact.run_ids or impact.clients else _as_sentence(sentence)
    sentences = [said if said.endswith(".") else f"{said}."]
    if impact.run_ids:
        sentences.append(f"Runs: {_named(impact.run_ids)}.")
    if impact.dependents:
        sentences.append(f"After it come {_named(impact.dependents)}.")
    return " ".join(sentences)


def _as_sentence(clause: str) -> str:
    return clause[:1].upper() + clause[1:]


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def daemon_cut(state: ScreenState, *, others: int) -> str:
    """Return what stopping the daemon would cut: bundles, runs and whoever else watches."""
    alive = sum(bundle.state in ALIVE for bundle in state.bundles.values())
    active = [run for run in state.runs.values() if run.status.is_active]
    sentences = [f"It stops {render.plural(alive, 'bundle')}."]
    if active:
        titles = ", ".join(run.title for run in active[:NAMED])
        more = f" and {len(active) - NAMED} more" if len(active) > NAMED else ""
        sentences.append(f"It cuts {render.plural(len(active), 'run')}: {titles}{more}.")
    if others:
        sentences.append(f"{render.plural(others, 'other screen')} would lose it too.")
    return " ".join(sentences)
