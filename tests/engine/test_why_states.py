"""The ordered check in every state a bundle can be in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.ordered_check import PROGRAM, CheckedWorld, first_failing, step_of
from tests.support.supervised import failed_before

from roost.engine.why import check as check_module
from roost.errors import StoreUnavailable, VaultUnavailable
from roost.models import (
    BundleKind,
    BundleSettings,
    ConfigField,
    FieldType,
    Reason,
    ResolvedCredentials,
    RestartPolicy,
    SlotState,
    WhyCheck,
    WhyStatus,
    WhyStep,
)
from roost.supervision import BundleSlot
from roost.supervision.backoff import PARK_AFTER_FAILURES

TOKEN = ConfigField("token", FieldType.STRING, "Token", required=True, sensitive=True)


@pytest.fixture
def world(tmp_path: Path) -> CheckedWorld:
    return CheckedWorld(tmp_path)


async def _running(
    world: CheckedWorld,
    kind: BundleKind = BundleKind.COMMAND,
    settings: BundleSettings | None = None,
    fields: tuple[ConfigField, ...] = (),
) -> BundleSlot:
    slot = await world.slot(command=PROGRAM, kind=kind, settings=settings, fields=fields)
    await world.until_done(world.supervisor.start("w", "app", actor="ops"))
    assert slot.state is SlotState.RUNNING
    return slot


async def _crash(world: CheckedWorld, slot: BundleSlot, **how: int) -> None:
    """End the process, not for the first time, and wait until that is seen and cleaned up."""
    if not slot.backoff.failures:
        failed_before(world, slot)
    world.driver.alive[-1].end(**how)
    await world.until(lambda: slot.incarnation is None and not world.supervisor.busy)


async def test_a_command_that_lives_is_well_without_handshake_and_tools(
    world: CheckedWorld,
) -> None:
    slot = await _running(world)
    report = await world.why(slot)
    assert report.is_up and first_failing(report) is None
    assert step_of(report, WhyCheck.HANDSHAKE).status is WhyStatus.UNKNOWN
    assert step_of(report, WhyCheck.TOOLS).said == "a plain command has no tools"
    assert step_of(report, WhyCheck.PROBE).said.startswith("it is alive")


async def test_a_server_is_asked_over_its_session(world: CheckedWorld) -> None:
    slot = await _running(world, BundleKind.MCP_STDIO)
    report = await world.why(slot)
    assert report.is_up
    assert step_of(report, WhyCheck.HANDSHAKE).said == "it speaks MCP 2025-06-18"
    assert step_of(report, WhyCheck.TOOLS).said == "it offers 1 tool"
    assert world.sessions.links[0].probes == 1


async def test_a_server_that_gives_no_answer_fails_the_probe_and_stays_as_it_is(
    world: CheckedWorld,
) -> None:
    slot = await _running(world, BundleKind.MCP_STDIO)
    world.sessions.links[0].answers_probes = False
    report = await world.why(slot)
    assert not report.is_up and first_failing(report) is WhyCheck.PROBE
    assert "w/app runs but does not answer: no answer to ping within" in report.sentence
    assert "`roost respawn w/app`" in report.sentence
    assert slot.state is SlotState.RUNNING and slot.is_alive


async def test_a_server_at_work_on_a_call_is_not_called_mute(world: CheckedWorld) -> None:
    slot = await _running(world, BundleKind.MCP_STDIO)
    link = world.sessions.links[0]
    link.answers_probes, link.in_flight, link.owed = False, 2, 7.0
    report = await world.why(slot)
    probe = step_of(report, WhyCheck.PROBE)
    assert (probe.status, report.is_up) == (WhyStatus.UNKNOWN, False)
    assert probe.said.startswith("it works on 2 calls, silent for 7 s")


async def test_a_stopped_process_is_told_from_a_mute_one(
    world: CheckedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await _running(world)
    process = world.driver.processes[-1]
    monkeypatch.setattr(process, "suspended", lambda: (process.pid,))
    report = await world.why(slot)
    probe = step_of(report, WhyCheck.PROBE)
    assert probe.status is WhyStatus.FAILED
    assert f"`kill -CONT {process.pid}`" in probe.way_out


async def test_a_start_under_way_fails_nothing_and_says_where_it_is(world: CheckedWorld) -> None:
    slot = await world.slot(command=PROGRAM, kind=BundleKind.MCP_STDIO)
    world.sessions.gate.clear()
    start = asyncio.create_task(world.supervisor.start("w", "app", actor="ops"))
    await world.until(lambda: slot.step == "handshake")
    world.clock.advance(3)
    report = await world.why(slot)
    world.sessions.gate.set()
    await world.until_done(_joined(start))
    assert first_failing(report) is None and not report.is_up
    assert step_of(report, WhyCheck.SPAWN).status is WhyStatus.PASSED
    assert step_of(report, WhyCheck.HANDSHAKE).status is WhyStatus.UNKNOWN
    assert report.sentence.startswith("w/app is starting: at handshake for 3 s")


async def _joined(task: asyncio.Task[object]) -> None:
    await task


async def test_a_crash_is_told_with_its_exit_its_last_words_and_the_countdown(
    world: CheckedWorld,
) -> None:
    slot = await _running(world)
    world.driver.alive[-1].stderr.feed_data(b"ModuleNotFoundError: No module named 'yaml'\n")
    await _crash(world, slot, code=3)
    report = await world.why(slot)
    spawn = step_of(report, WhyCheck.SPAWN)
    assert first_failing(report) is WhyCheck.SPAWN
    assert "generation 1 ended with exit 3" in spawn.said
    assert spawn.evidence == ("ModuleNotFoundError: No module named 'yaml'",)
    assert "does not have the module yaml" in spawn.way_out
    assert "It is tried again by itself in" in report.sentence
    assert "after 2 failures." in report.sentence


async def test_a_kill_from_outside_is_not_taken_for_ours(world: CheckedWorld) -> None:
    slot = await _running(world)
    await _crash(world, slot, signal=9)
    [told, *_] = step_of(await world.why(slot), WhyCheck.SPAWN).evidence
    assert told.startswith("Roost did not send this SIGKILL")


async def test_a_parked_bundle_says_so_with_its_failures(world: CheckedWorld) -> None:
    slot = await _running(world)
    for _ in range(PARK_AFTER_FAILURES):
        await _crash(world, slot, code=1)
        if slot.is_parked:
            break
        world.clock.advance(100)
        await world.until_done(_back(slot))
    assert slot.is_parked
    report = await world.why(slot)
    assert "It is parked after 5 failures and tried again by itself in" in report.sentence


async def _back(slot: BundleSlot) -> None:
    while slot.state is not SlotState.RUNNING:  # noqa: ASYNC110 - the caller moves the clock
        await asyncio.sleep(0.001)


async def test_a_policy_that_says_never_leaves_the_crash_as_the_answer(
    world: CheckedWorld,
) -> None:
    slot = await _running(world, settings=BundleSettings(restart=RestartPolicy.NEVER, settle_s=1))
    await _crash(world, slot, code=1)
    report = await world.why(slot)
    assert slot.state is SlotState.DEAD
    assert report.sentence.startswith("w/app is dead: generation 1 ended with exit 1")


async def test_a_finished_bundle_is_not_called_broken(world: CheckedWorld) -> None:
    policy = BundleSettings(restart=RestartPolicy.ON_FAILURE, settle_s=1)
    slot = await _running(world, settings=policy)
    await _crash(world, slot, code=0)
    report = await world.why(slot)
    assert "finished with exit 0" in report.sentence and "`roost start w/app`" in report.sentence


async def test_a_stopped_bundle_whose_next_start_would_fail_says_both(
    world: CheckedWorld,
) -> None:
    slot = await world.slot(command="no-such-program-anywhere")
    report = await world.why(slot)
    assert first_failing(report) is WhyCheck.RUNTIME
    assert step_of(report, WhyCheck.SPAWN).said == "not reached"
    assert report.sentence.startswith("w/app is stopped, and its next start would fail:")
    assert "no-such-program-anywhere" in report.sentence


async def test_a_bundle_stopped_on_purpose_names_the_one_who_did_it_and_the_reason(
    world: CheckedWorld,
) -> None:
    slot = await _running(world, settings=BundleSettings(protected=True, settle_s=1))
    stop = world.supervisor.stop("w", "app", actor="ann", reason="rolling the disks")
    await world.until_done(stop)
    report = await world.why(slot)
    assert "ann stopped it at" in report.sentence and "(rolling the disks)" in report.sentence


async def test_a_stop_of_an_earlier_bundle_of_the_same_name_is_not_its_own(
    world: CheckedWorld,
) -> None:
    slot = await _running(world)
    await world.until_done(world.supervisor.stop("w", "app", actor="ann"))
    slot.installed_at = world.clock.now() + 1
    report = await world.why(slot)
    assert "ann" not in report.sentence and "without being started" in report.sentence


async def test_missing_credentials_are_named_with_the_command_that_sets_them(
    world: CheckedWorld,
) -> None:
    slot = await world.slot(command=PROGRAM, fields=(TOKEN,))
    await world.until_done(world.supervisor.start("w", "app", actor="ops"))
    assert slot.state is SlotState.NEEDS_CREDENTIALS
    report = await world.why(slot)
    step = step_of(report, WhyCheck.CREDENTIALS)
    assert first_failing(report) is WhyCheck.CREDENTIALS
    assert step.way_out == "`roost credentials w/app --set token` sets it"
    assert step.evidence == ("token (string, sensitive): Token",)
    assert report.sentence.startswith("w/app does not run: it needs token")


async def test_a_stale_generation_is_the_answer_although_it_answers(world: CheckedWorld) -> None:
    slot = await _running(world, settings=BundleSettings(protected=True, settle_s=1))
    slot.credential_revision = 4
    report = await world.why(slot)
    assert first_failing(report) is WhyCheck.CREDENTIALS and not report.is_up
    assert "runs with revision 0" in report.sentence and "revision 4 is set" in report.sentence
    assert "`roost respawn w/app --force REASON`" in report.sentence
    assert step_of(report, WhyCheck.PROBE).status is WhyStatus.PASSED


async def test_a_changed_configuration_is_told_at_the_definition(world: CheckedWorld) -> None:
    slot = await _running(world)
    slot.config_hash = "another"
    report = await world.why(slot)
    assert first_failing(report) is WhyCheck.DEFINITION
    assert "lags behind in configuration" in report.sentence
    assert step_of(report, WhyCheck.DEFINITION).action == "bundle.respawn"


async def test_a_daemon_that_shuts_down_says_so_before_anything_else(world: CheckedWorld) -> None:
    slot = await _running(world)
    world.is_closing = True
    assert (await world.why(slot)).sentence.startswith("The daemon is shutting down")


async def test_a_vault_that_cannot_be_read_is_the_answer(
    world: CheckedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await world.slot(command=PROGRAM, fields=(TOKEN,))
    monkeypatch.setattr(world.secrets, "resolve", _raising(VaultUnavailable("the key is gone")))
    report = await world.why(slot)
    step = step_of(report, WhyCheck.CREDENTIALS)
    assert first_failing(report) is WhyCheck.CREDENTIALS
    assert "cannot be read: the key is gone" in step.said


def _raising(error: Exception) -> Callable[..., object]:
    async def fails(*_: object) -> None:
        raise error

    return fails


async def test_a_store_that_never_answers_bounds_the_check(
    world: CheckedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await world.slot(command=PROGRAM, fields=(TOKEN,))

    async def hangs(*_: object) -> ResolvedCredentials:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(world.secrets, "resolve", hangs)
    async with asyncio.timeout(30):
        report = await world.why(slot)
    assert "did not answer within" in step_of(report, WhyCheck.CREDENTIALS).said


async def test_a_disk_that_never_answers_is_given_up_and_the_process_looked_at_all_the_same(
    world: CheckedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await _running(world)
    answers = threading.Event()

    def hangs(subject: object) -> WhyStep:
        answers.wait()
        raise AssertionError("nobody waits for this any more")

    first, *others = check_module._ON_DISK
    monkeypatch.setattr(check_module, "_ON_DISK", ((first[0], hangs), *others))
    try:
        async with asyncio.timeout(45):
            report = await world.why(slot)
    finally:
        answers.set()
    definition = step_of(report, WhyCheck.DEFINITION)
    assert definition.status is WhyStatus.UNKNOWN and "within 5 s" in definition.said
    assert step_of(report, WhyCheck.SPAWN).status is WhyStatus.PASSED
    assert step_of(report, WhyCheck.PROBE).status is WhyStatus.PASSED


async def test_a_check_that_breaks_is_one_unknown_and_not_the_end_of_the_report(
    world: CheckedWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slot = await _running(world)

    def breaks(subject: object) -> WhyStep:
        raise ZeroDivisionError

    first, *others = check_module._ON_DISK
    monkeypatch.setattr(check_module, "_ON_DISK", ((first[0], breaks), *others))
    report = await world.why(slot)
    assert step_of(report, WhyCheck.DEFINITION).status is WhyStatus.UNKNOWN
    assert step_of(report, WhyCheck.PROBE).status is WhyStatus.PASSED
    assert "the check definition failed" in caplog.text


async def test_processes_that_an_earlier_generation_left_are_the_answer_although_it_runs(
    world: CheckedWorld,
) -> None:
    slot = await _running(world)
    left = "w/app left processes that could not be ended (pid 77); end them by hand"
    slot.reason = Reason("not_ended", left)
    report = await world.why(slot)
    assert first_failing(report) is WhyCheck.SPAWN
    assert "`kill -9 PID`" in report.sentence and "pid 77" in report.sentence


async def test_a_respawn_that_failed_is_told_although_the_one_before_serves_on(
    world: CheckedWorld,
) -> None:
    slot = await _running(world)
    slot.has_failed_respawn = True
    report = await world.why(slot)
    assert first_failing(report) is WhyCheck.SPAWN and not report.is_up
    assert report.sentence.startswith("w/app runs, but its last respawn failed.")


async def test_a_server_that_was_ended_for_its_silence_fails_the_probe(
    world: CheckedWorld,
) -> None:
    slot = await _running(world)
    await _crash(world, slot, signal=15)
    missed = "w/app missed 3 probes in a row, the last: no answer to ping; so it was ended"
    slot.reason = Reason("not_live", missed)
    report = await world.why(slot)
    assert first_failing(report) is WhyCheck.PROBE
    assert "`roost set w/app --probe-misses 6`" in report.sentence


async def test_a_candidate_beside_the_running_one_is_mentioned(world: CheckedWorld) -> None:
    slot = await _running(world)
    assert slot.generation is not None
    slot.candidate = replace(slot.generation, number=2)
    report = await world.why(slot)
    assert report.sentence.endswith("Generation 2 is verified beside it.")


async def test_a_start_that_waits_for_others_names_them_and_where_to_look(
    world: CheckedWorld,
) -> None:
    await world.slot("db", command=PROGRAM)
    slot = await world.slot(command=PROGRAM)
    slot.definition = replace(slot.definition, after=("db",))
    world.supervisor.begin_start(slot, actor="ops")
    await world.until(lambda: slot.waits_for)
    report = await world.why(slot)
    assert first_failing(report) is None and not report.is_up
    assert step_of(report, WhyCheck.SPAWN).said == "it waits for db, which is stopped"
    assert report.sentence.startswith("w/app waits for db, which is stopped")
    assert "`roost start w/app`" in report.sentence
    assert report.sentence.endswith("`roost why w/db` tells what keeps that.")


async def test_a_transition_that_cannot_be_read_costs_only_the_name(
    world: CheckedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await world.slot(command=PROGRAM)
    slot.should_run = False
    monkeypatch.setattr(world.check, "_last_move", _raising(StoreUnavailable("away")))
    report = await world.why(slot)
    assert first_failing(report) is WhyCheck.SPAWN


async def test_no_text_of_a_report_holds_a_secret(world: CheckedWorld) -> None:
    secret = "hunter2-hunter2"
    world.secrets.values, world.secrets.secrets = {"token": secret}, (secret,)
    slot = await _running(world, fields=(TOKEN,))
    # The crash record is scrubbed as it is written; what comes by another way must be too.
    await _crash(world, slot, code=1)
    assert slot.crash is not None
    object.__setattr__(slot.crash, "stderr_tail", (f"refused {secret}",))
    report = await world.why(slot)
    texts = [report.sentence]
    for step in report.steps:
        texts += [step.said, step.way_out, *step.evidence]
    assert not any(secret in text for text in texts)
    assert any("refused [secret]" in text for text in texts)


async def test_looking_never_moves_the_slot(world: CheckedWorld) -> None:
    slot = await _running(world)
    moves, spawned = list(world.journal.transitions), len(world.driver.processes)
    await world.why(slot)
    await _crash(world, slot, code=1)
    before = slot.view()
    await world.why(slot)
    assert slot.view() == before
    assert len(world.driver.processes) == spawned
    assert world.journal.transitions[: len(moves)] == moves
