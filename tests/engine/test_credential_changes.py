"""Credential writes as transactions, on fake processes and a real vault."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.credential_rows import MemoryCredentialRows
from tests.support.fake.clock import FakeClock
from tests.support.supervised import World

from roost.engine.credential_changes import CredentialChanges
from roost.errors import BundleNotFound, BundleProtected, StoreUnavailable
from roost.models import (
    BundleSettings,
    ConfigField,
    CredentialOutcome,
    CredentialWrite,
    FieldType,
    SlotState,
)
from roost.supervision import BundleSlot
from roost.vault import Vault

S = SlotState

TOKEN = ConfigField("token", FieldType.STRING, "Token", sensitive=True)
SPARE = ConfigField("spare", FieldType.STRING, "Spare", sensitive=True)
MODE = ConfigField("mode", FieldType.STRING, "Mode")

QUICK = BundleSettings(settle_s=0.1)
GUARDED = replace(QUICK, protected=True)


class Bench:
    """A world whose bundles read a real vault, and an operator's way to change it."""

    def __init__(self, tmp_path: Path) -> None:
        self.rows = MemoryCredentialRows()
        self.vault = Vault(self.rows, b"k" * 32, FakeClock())
        self.world = World(tmp_path, self.vault)
        self.audited: list[tuple[str, str]] = []
        """Outcome and detail of each entry."""
        self.changes = CredentialChanges(
            self.world.supervisor,
            self.vault,
            actor="ops",
            audit=self._audit,
            fit_reason=self._fit_reason,
        )

    async def _audit(self, action: str, _: str | None, target: str, code: str, told: str) -> None:
        assert (action, target) == ("bundle.credentials", "app")
        self.audited.append((code, told))

    async def _fit_reason(self, workspace: str, name: str, reason: str | None) -> str | None:
        return reason or None

    async def up(self, settings: BundleSettings = QUICK, **values: Any) -> BundleSlot:
        """Bring a bundle up with these values as revision 1."""
        fields = (TOKEN, SPARE, MODE)
        write = CredentialWrite(values)
        await self.vault.write("w", "app", fields, write, "ops")
        return await self.world.running(settings=settings, fields=fields)

    async def write(
        self, *clear: str, reason: str | None = None, **values: Any
    ) -> CredentialOutcome:
        write = CredentialWrite(values, clear, reason)
        return await self.world.until_done(self.changes.write("w", "app", write))

    async def restore(self, reason: str | None = None) -> CredentialOutcome:
        return await self.world.until_done(self.changes.restore("w", "app", reason))

    @property
    def env(self) -> dict[str, str]:
        """What the one process that lives was given."""
        [process] = self.world.driver.alive
        return process.spec.env


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_writes_clears_and_restores_each_end_in_a_generation_that_has_them(
    bench: Bench,
) -> None:
    slot = await bench.up(token="first-token", mode="slow")
    steps: list[tuple[Callable[[], Any], str, dict[str, str]]] = [
        (lambda: bench.write(token="next-token"), "saved token as revision 2", {"mode": "slow"}),
        (
            lambda: bench.write("mode", token="third-token"),
            "saved token and cleared mode as revision 3",
            {},
        ),
        (bench.restore, "restored the previous values as revision 4", {"mode": "slow"}),
    ]
    for number, (act, sentence, others) in enumerate(steps, 2):
        outcome = await act()
        assert outcome.sentence == sentence and outcome.revision == number
        assert outcome.respawn is not None and outcome.respawn.ok
        generation = slot.view().generation
        assert generation is not None
        assert (generation.number, generation.credential_revision) == (number, number)
        assert slot.view().stale == ()
        assert {key: bench.env[key] for key in bench.env if key != "token"} == others
    assert bench.env["token"] == "next-token"


async def test_a_clear_ends_the_holder_and_says_both_what_was_written_and_what_ended(
    bench: Bench,
) -> None:
    await bench.up(token="first-token")
    old = bench.world.driver.alive[0]
    outcome = await bench.write("token")
    assert outcome.sentence == "cleared token as revision 2; the process that held it has ended"
    assert old.exit is not None and bench.env == {}


async def test_a_restore_that_leaves_a_sensitive_field_unset_ends_its_holder(
    bench: Bench,
) -> None:
    await bench.up(token="first-token")
    await bench.write(spare="added-later")
    old = bench.world.driver.alive[0]
    bench.world.driver.on_spawn = lambda process: process.end(code=1)
    outcome = await bench.restore()
    assert outcome.sentence.endswith("; the process that held it has ended")
    assert outcome.respawn is not None and not outcome.respawn.ok
    assert old.exit is not None and not bench.world.driver.alive


async def test_a_protected_bundle_asks_why_before_anything_is_written(bench: Bench) -> None:
    slot = await bench.up(GUARDED, token="first-token")
    process = bench.world.driver.alive[0]
    with pytest.raises(BundleProtected, match="clearing token of it"):
        await bench.write("token")
    assert bench.audited == [("protected", "")]
    assert (slot.credential_revision, process.exit) == (0, None)
    assert (await bench.vault.form("w", "app", slot.definition.fields)).revision == 1
    outcome = await bench.write("token", reason="it leaked")
    assert process.exit is not None and "has ended" in outcome.sentence
    assert bench.audited[-1] == ("ok", "revision 2: token (it leaked)")


async def test_a_clear_of_what_is_not_set_forces_nothing_on_a_protected_bundle(
    bench: Bench,
) -> None:
    slot = await bench.up(GUARDED, token="first-token")
    process = bench.world.driver.alive[0]
    outcome = await bench.write("spare", reason="to be sure", mode="slow")
    assert process.exit is None and slot.view().restart_pending
    assert outcome.sentence == (
        "saved mode as revision 2; generation 1 goes on without it, its restart is pending"
    )


async def test_a_protected_restore_that_clears_asks_why_and_another_does_not(
    bench: Bench,
) -> None:
    slot = await bench.up(GUARDED, token="first-token")
    await bench.write(spare="added-later")
    with pytest.raises(BundleProtected, match="--reason"):
        await bench.restore()
    assert slot.credential_revision == 2 and slot.state is S.RUNNING
    await bench.restore("it was wrong")
    assert slot.credential_revision == 3
    bench.audited.clear()
    again = await bench.restore()  # it sets the field again, which clears nothing
    assert again.respawn is not None and again.respawn.code == "protected"
    assert bench.audited == [("protected", "revision 4: spare")]


async def test_a_write_that_changes_nothing_is_said_and_replaces_nothing(bench: Bench) -> None:
    slot = await bench.up(token="first-token")
    outcome = await bench.write("spare")
    assert outcome.respawn is None and outcome.changed == ()
    assert slot.view().generation is not None and len(bench.world.driver.processes) == 1


async def test_a_holder_ends_although_the_store_takes_no_wish(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await bench.up(token="first-token")
    slot.kept_should_run = False  # the store has missed the last start
    monkeypatch.setattr(bench.world.store.bundles, "set_should_run", _refuse)
    old = bench.world.driver.alive[0]
    outcome = await bench.write("token")
    assert old.exit is not None and "has ended" in outcome.sentence


async def _refuse(*_: Any) -> None:
    raise StoreUnavailable("the disk is full")


async def test_a_write_and_a_removal_do_not_leave_values_of_a_bundle_that_is_gone(
    bench: Bench,
) -> None:
    await bench.up(token="first-token")
    is_writing, may_go_on = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        is_writing.set()
        await may_go_on.wait()

    bench.rows.before_replace = pause
    write = CredentialWrite({"token": "late-token"})
    late = asyncio.create_task(bench.changes.write("w", "app", write))
    await is_writing.wait()
    await bench.world.supervisor.remove("w", "app", actor="ops")
    deleted = asyncio.create_task(_delete_rows(bench))
    await asyncio.sleep(0.01)
    assert not deleted.done(), "it would be undone by the write under way"
    may_go_on.set()
    async with asyncio.timeout(30):
        await deleted
        with pytest.raises(BundleNotFound):
            await late
    assert bench.rows.newest == {}
    with pytest.raises(BundleNotFound):
        await bench.changes.write("w", "app", write)
    assert len(bench.world.supervisor._definitions) == 0


async def _delete_rows(bench: Bench) -> None:
    async with bench.world.supervisor.forgetting("w", "app"):
        bench.rows.newest.clear()
