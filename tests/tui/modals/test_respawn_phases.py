"""How far a respawn is."""

from __future__ import annotations

from dataclasses import replace

from tests.support.modal_scenes import BUNDLE, GENERATION, NOW, starting

from roost.models import CredentialOutcome, Reason, RespawnResult, SlotState, StartStep
from roost_tui.modals.respawn_phases import (
    STEPS,
    Mark,
    phases_after,
    phases_of,
    respawn_sentence,
    write_sentence,
)

NEW = replace(BUNDLE, generation=replace(GENERATION, id="g7", number=7), since=NOW)
DEAD = replace(
    BUNDLE, state=SlotState.DEAD, step=StartStep.HANDSHAKE, reason=Reason("exit", "gone")
)


def test_the_step_under_way_is_active_and_those_before_it_are_done() -> None:
    marks = phases_of(starting(StartStep.CREDENTIALS), BUNDLE).marks
    assert marks == (Mark.DONE, Mark.DONE, Mark.ACTIVE, *(Mark.WAITING,) * 4)


def test_the_old_running_generation_is_not_taken_for_the_new_one() -> None:
    changed = replace(BUNDLE, credential_revision=5, stale=("credentials",))
    assert set(phases_of(changed, BUNDLE).marks) == {Mark.WAITING}


def test_a_new_running_generation_has_passed_all_steps() -> None:
    assert set(phases_of(NEW, BUNDLE).marks) == {Mark.DONE}


def test_a_failure_from_before_the_respawn_is_not_its_failure() -> None:
    assert set(phases_of(DEAD, DEAD).marks) == {Mark.WAITING}


def test_a_failed_step_is_marked_with_its_reason() -> None:
    phases = phases_of(replace(DEAD, since=NOW), starting(StartStep.HANDSHAKE))
    assert phases.marks[STEPS.index(StartStep.HANDSHAKE)] is Mark.FAILED
    assert phases.sentence == "gone"


def test_missing_credentials_fail_the_credentials_step() -> None:
    view = replace(BUNDLE, state=SlotState.NEEDS_CREDENTIALS, since=NOW)
    assert phases_of(view, BUNDLE).marks[STEPS.index(StartStep.CREDENTIALS)] is Mark.FAILED


def test_a_candidate_beside_the_running_process_shows_its_step() -> None:
    view = replace(BUNDLE, step=StartStep.SPAWN)
    assert phases_of(view, BUNDLE).marks[STEPS.index(StartStep.SPAWN)] is Mark.ACTIVE


def test_the_result_wins_over_what_was_seen_last() -> None:
    late = starting(StartStep.READINESS)
    good = RespawnResult(True, "acme", "db-query", "ok", generation=7)
    after = phases_after(good, late, BUNDLE)
    assert set(after.marks) == {Mark.DONE}
    assert after.state is SlotState.RUNNING
    bad = RespawnResult(False, "acme", "db-query", "no", step=StartStep.SPAWN)
    failed = phases_after(bad, late, BUNDLE).marks
    assert failed[STEPS.index(StartStep.SPAWN)] is Mark.FAILED
    assert failed[-1] is Mark.WAITING


def test_write_and_respawn_are_told_apart() -> None:
    respawn = RespawnResult(True, "acme", "db-query", "ok", generation=7, duration_ms=412)
    outcome = CredentialOutcome(5, ("api_token",), "saved", respawn)
    assert write_sentence(outcome, restored=False) == "saved as revision 5: api_token"
    assert respawn_sentence(outcome) == "respawned as generation 7 in 412 ms"


def test_a_failed_respawn_tells_its_own_sentence() -> None:
    respawn = RespawnResult(False, "acme", "db-query", "it exited with 1; R tries again")
    assert respawn_sentence(CredentialOutcome(5, (), "", respawn)) == respawn.sentence


def test_a_stopped_bundle_is_not_said_to_be_respawned() -> None:
    assert "nothing was respawned" in respawn_sentence(CredentialOutcome(5, (), "", None))
