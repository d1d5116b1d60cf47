"""Credentials: written by everyone, read back by nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.contract.waiting import bundle_in
from tests.contract.world import ContractWorld

from roost.errors import BadFields, BundleProtected, Refused
from roost.models import CredentialForm, CredentialWrite, SlotState
from roost.models.codec import to_json

SECRET = "first-secret-value"


async def _installed(world: ContractWorld, *, protected: bool = False) -> CredentialForm:
    env = {"API_TOKEN": SECRET, "OTHER": "second-value"}
    await world.engine.install("w", world.request("app", env=env, protected=protected))
    await bundle_in(world.engine, "app", SlotState.RUNNING)
    return await world.engine.credential_form("w", "app")


async def test_the_form_tells_what_is_set_and_never_the_value(world: ContractWorld) -> None:
    form = await _installed(world)
    by_key = {entry.field.key: entry for entry in form.fields}
    assert sorted(by_key) == ["API_TOKEN", "OTHER"]
    token = by_key["API_TOKEN"]
    assert (token.field.sensitive, token.is_set, token.value) == (True, True, None)
    assert token.set_at is not None
    assert token.set_by
    assert SECRET.encode() not in to_json(form)


async def test_a_write_makes_a_revision_and_a_generation_that_has_it(world: ContractWorld) -> None:
    before = await _installed(world)
    write = CredentialWrite({"API_TOKEN": "another-secret"})
    outcome = await world.engine.write_credentials("w", "app", write)
    assert outcome.revision == before.revision + 1
    assert outcome.changed == ("API_TOKEN",)
    assert outcome.respawn is not None
    assert outcome.respawn.ok, outcome.respawn.sentence
    view = (await world.engine.bundle("w", "app")).view
    assert view.generation is not None
    assert view.generation.number == 2
    assert view.generation.credential_revision == outcome.revision


async def test_an_unknown_field_rejects_the_whole_write(world: ContractWorld) -> None:
    before = await _installed(world)
    write = CredentialWrite({"API_TOKEN": "fresh", "TYPO": "x"})
    with pytest.raises(BadFields) as refusal:
        await world.engine.write_credentials("w", "app", write)
    assert list(refusal.value.details["fields"]) == ["TYPO"]
    assert await world.engine.credential_form("w", "app") == before


async def test_a_value_that_does_not_fit_rejects_the_write_unseen(world: ContractWorld) -> None:
    before = await _installed(world)
    write = CredentialWrite({"API_TOKEN": ["leak-1", "leak-2"]})
    with pytest.raises(BadFields) as refusal:
        await world.engine.write_credentials("w", "app", write)
    assert "leak" not in refusal.value.message + str(refusal.value.details)
    assert await world.engine.credential_form("w", "app") == before


async def test_the_previous_revision_comes_back_as_a_new_one(world: ContractWorld) -> None:
    await _installed(world)
    await world.engine.write_credentials("w", "app", CredentialWrite(clear=("OTHER",)))
    cleared = await world.engine.credential_form("w", "app")
    assert [entry.is_set for entry in cleared.fields] == [True, False]
    assert cleared.can_restore
    outcome = await world.engine.restore_credentials("w", "app")
    restored = await world.engine.credential_form("w", "app")
    assert restored.revision == outcome.revision == cleared.revision + 1
    assert all(entry.is_set for entry in restored.fields)


async def test_nothing_is_restored_where_nothing_was_kept(world: ContractWorld) -> None:
    await world.engine.install("w", replace(world.request("app"), start=False))
    with pytest.raises(Refused):
        await world.engine.restore_credentials("w", "app")


async def test_a_write_to_a_stopped_bundle_starts_nothing(world: ContractWorld) -> None:
    await _installed(world)
    await world.engine.stop("w", "app")
    write = CredentialWrite({"API_TOKEN": "another-secret"})
    outcome = await world.engine.write_credentials("w", "app", write)
    assert outcome.respawn is None
    assert (await world.engine.bundle("w", "app")).view.state is SlotState.STOPPED


async def test_clearing_a_credential_of_a_protected_bundle_wants_a_reason(
    world: ContractWorld,
) -> None:
    before = await _installed(world, protected=True)
    with pytest.raises(BundleProtected):
        await world.engine.write_credentials("w", "app", CredentialWrite(clear=("API_TOKEN",)))
    assert await world.engine.credential_form("w", "app") == before
    write = CredentialWrite(clear=("API_TOKEN",), reason="it leaked")
    assert (await world.engine.write_credentials("w", "app", write)).changed == ("API_TOKEN",)


async def test_a_write_to_a_protected_bundle_leaves_its_process_and_a_restart_pending(
    world: ContractWorld,
) -> None:
    await _installed(world, protected=True)
    write = CredentialWrite({"API_TOKEN": "another-secret"})
    outcome = await world.engine.write_credentials("w", "app", write)
    assert outcome.changed == ("API_TOKEN",)
    assert outcome.respawn is not None
    assert (outcome.respawn.ok, outcome.respawn.code) == (False, "protected")
    view = (await world.engine.bundle("w", "app")).view
    assert view.state is SlotState.RUNNING
    assert view.generation is not None
    assert (view.generation.number, view.stale) == (1, ("credentials",))
    assert view.restart_pending
    assert (await world.engine.respawn("w", "app", reason="rollout")).ok
    view = (await world.engine.bundle("w", "app")).view
    assert (view.stale, view.restart_pending) == ((), False)


async def test_the_answer_to_a_clear_says_what_became_of_who_held_the_value(
    world: ContractWorld,
) -> None:
    await _installed(world)
    outcome = await world.engine.write_credentials("w", "app", CredentialWrite(clear=("OTHER",)))
    assert "OTHER" in outcome.sentence
    assert "the process that held it has ended" in outcome.sentence
    assert outcome.respawn is not None


async def test_a_restore_that_unsets_a_field_of_a_protected_bundle_wants_a_reason(
    world: ContractWorld,
) -> None:
    await _installed(world, protected=True)
    clear = CredentialWrite(clear=("OTHER",), reason="it leaked")
    await world.engine.write_credentials("w", "app", clear)
    await world.engine.restore_credentials("w", "app")
    before = await world.engine.credential_form("w", "app")
    assert all(entry.is_set for entry in before.fields)
    with pytest.raises(BundleProtected):
        await world.engine.restore_credentials("w", "app")
    assert await world.engine.credential_form("w", "app") == before
    outcome = await world.engine.restore_credentials("w", "app", reason="it leaked again")
    assert outcome.changed == ("OTHER",)
