"""The answer in a sentence or two: what fails first with its way out, or that all is well."""

from __future__ import annotations

from roost.engine.why.subject import Subject
from roost.engine.why.words import span
from roost.models import SlotState, WhyCheck, WhyStatus, WhyStep


def answer(subject: Subject, steps: tuple[WhyStep, ...], *, is_up: bool, is_closing: bool) -> str:
    """Return the sentence of a report.

    Args:
        is_up: whether it runs, is not stale and answered.
        is_closing: whether the daemon is shutting down.
    """
    if is_closing:
        return (
            f"The daemon is shutting down, and {subject.label} stops with it. `roost` starts "
            "another one, which starts again what should run."
        )
    if subject.is_serving and "respawn" in subject.view.stale and subject.reason is not None:
        # What runs is well; that its successor did not come is what somebody has to mend.
        return _full_stop(subject.reason.sentence)
    failing = next((step for step in steps if step.status is WhyStatus.FAILED), None)
    if failing is not None:
        told = f"{_lead(subject, failing)}{_retry(subject)}"
        return f"{told} {_capital(_full_stop(failing.way_out))}".rstrip()
    if is_up and subject.generation is not None:
        number = subject.generation.number
        told = f"Nothing is wrong: {subject.label} runs as generation {number} and answered."
        next_one = subject.view.candidate
        beside = f" Generation {next_one.number} is verified beside it." if next_one else ""
        return f"{told}{beside}"
    return _under_way(subject, steps)


def _lead(subject: Subject, failing: WhyStep) -> str:
    """Return how the bundle stands and what fails, in one sentence."""
    said, label = failing.said, subject.label
    if said.startswith(f"{label} "):
        return _full_stop(said)
    if subject.is_serving:
        if failing.check is WhyCheck.PROBE:
            return _full_stop(f"{label} runs but does not answer: {said}")
        return _full_stop(f"{label} runs, but {said}")
    state = subject.state.value.replace("_", " ")
    if subject.state is SlotState.STOPPED and failing.check is not WhyCheck.SPAWN:
        return _full_stop(f"{label} is stopped, and its next start would fail: {said}")
    if subject.state is SlotState.NEEDS_CREDENTIALS:
        return _full_stop(f"{label} does not run: {said}")
    return _full_stop(f"{label} is {state}: {said}")


def _retry(subject: Subject) -> str:
    if subject.state is not SlotState.BACKING_OFF or subject.view.retry_at is None:
        return ""
    left = span(subject.view.retry_at - subject.now)
    failures = subject.view.failures
    counted = f"{failures} failure{'' if failures == 1 else 's'}"
    if subject.view.parked:
        return f" It is parked after {counted} and tried again by itself in {left}."
    return f" It is tried again by itself in {left}, after {counted}."


def _under_way(subject: Subject, steps: tuple[WhyStep, ...]) -> str:
    """Describe what neither fails nor is up."""
    label, view = subject.label, subject.view
    if view.waits_for and not subject.is_serving:
        first = f"{subject.slot.workspace}/{view.waits_for[0]}"
        return f"{_full_stop(_waiting_words(subject))} `roost why {first}` tells what keeps that."
    if subject.is_starting:
        step = f" at {str(view.step).replace('_', ' ')}" if view.step else ""
        budget = subject.definition.settings.start_budget_s
        waited = span(subject.now - view.since)
        return f"{label} is starting:{step} for {waited}; from its spawn it has {budget:g} s."
    unsure = next((s for s in steps if s.check is WhyCheck.PROBE), steps[-1])
    state = "runs" if subject.is_serving else f"is {subject.state.value.replace('_', ' ')}"
    return _full_stop(f"{label} {state}, and nothing fails, but {unsure.said}")


def _waiting_words(subject: Subject) -> str:
    reason, names = subject.reason, ", ".join(subject.view.waits_for)
    told = f"{subject.label} waits with its start for {names}"
    return reason.sentence if reason is not None else told


def _full_stop(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
