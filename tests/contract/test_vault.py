"""The vault's key: shown by its place and id, and replaced without a respawn."""

from __future__ import annotations

from tests.contract.waiting import bundle_in
from tests.contract.world import ContractWorld

from roost.models import KeyPlace, SlotState
from roost.models.codec import to_json

SECRET = "first-secret-value"


async def test_a_rotation_changes_the_id_and_no_process(world: ContractWorld) -> None:
    await world.engine.install("w", world.request("app", env={"API_TOKEN": SECRET}))
    view = await bundle_in(world.engine, "app", SlotState.RUNNING)
    before = await world.engine.vault()
    assert (before.place, before.values, before.rotated_at) == (KeyPlace.FILE, 1, None)
    after = await world.engine.rotate_vault_key()
    assert after.key_id != before.key_id
    assert (after.values, after.values_of_former_keys) == (1, 0)
    assert after.rotated_at is not None
    assert await world.engine.vault() == after
    again = await bundle_in(world.engine, "app", SlotState.RUNNING)
    assert again.generation is not None and view.generation is not None
    assert again.generation.number == view.generation.number
    assert SECRET.encode() not in to_json(after)
