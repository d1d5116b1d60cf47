"""Changes of settings as the fake makes them: by the same rules, on its own bundles."""

from __future__ import annotations

from tests.support.fake.world import FakeBundle, FakeWorld

from roost.bundles import changed_definition, check_after, check_strategy, differences
from roost.errors import BundleProtected
from roost.models import SettingsChange, SettingsOutcome, SlotState


def change_settings(
    world: FakeWorld, bundle: FakeBundle, change: SettingsChange
) -> SettingsOutcome:
    """Give a bundle other settings; a changed limit leaves its running process stale."""
    before, view = bundle.definition, bundle.view
    after = changed_definition(before, change)
    check_strategy(view.name, after)
    check_after(view.name, after.after, _known(world, view.workspace))
    if before.settings.protected and not after.settings.protected and not change.reason:
        raise BundleProtected(view.name, "lifting that")
    changed = tuple(name for name, _, _ in differences(before, after))
    bundle.definition = after
    is_started_anew = any(name.startswith("limits.") for name in changed)
    stale = view.stale
    if is_started_anew and view.state is SlotState.RUNNING and "configuration" not in stale:
        stale = (*stale, "configuration")
    world.change_bundle(bundle, protected=after.settings.protected, stale=stale)
    needs_respawn = "configuration" in stale
    label = f"{view.workspace}/{view.name}"
    told = f"{label}: {', '.join(changed)} changed" if changed else "no setting was changed"
    way_out = f"; it keeps its own until `roost respawn {label}`" if needs_respawn else ""
    return SettingsOutcome(after.settings, after.after, changed, needs_respawn, told + way_out)


def _known(world: FakeWorld, workspace: str) -> dict[str, tuple[str, ...]]:
    return {
        name: bundle.definition.after
        for (owner, name), bundle in world.bundles.items()
        if owner == workspace
    }
