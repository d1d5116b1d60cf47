"""What an interrupting action on a bundle of the fake would cut."""

from __future__ import annotations

from tests.support.fake.world import FakeBundle, FakeWorld

from roost.engine.impact import check_action, cut_sentence, handover_sentence
from roost.models import BundleKind, Impact, SlotState
from roost.models.handover import hands_over

_SEEN_KINDS = (BundleKind.MCP_STDIO, BundleKind.MCP_HTTP)


def impact_on(world: FakeWorld, bundle: FakeBundle, action: str) -> Impact:
    """Return what the real engine would say of a bundle in this state."""
    check_action(action)
    view = bundle.view
    runs = tuple(run.view.id for run in world.active_runs(view.workspace, view.name))
    is_up = view.state is SlotState.RUNNING
    is_handed_over = is_up and hands_over(bundle.definition)
    if is_handed_over and action in ("bundle.respawn", "bundle.credentials"):
        sentence = handover_sentence(len(runs), bundle.definition.settings.drain_s, action)
        return Impact((), True, view.protected, sentence)
    dependents = tuple(
        other.view.name
        for (workspace, _), other in sorted(world.bundles.items())
        if workspace == view.workspace
        and view.name in other.definition.after
        and other.view.state is SlotState.RUNNING
    )
    is_known = view.kind in _SEEN_KINDS or not is_up
    sentence = cut_sentence(len(runs), 0, len(dependents), is_known=is_known)
    return Impact(runs, is_known, view.protected, sentence, dependents=dependents)
