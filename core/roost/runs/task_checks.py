"""What tasks, submits and reports may be: everything that is refused before it changes anything."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from roost.errors import BadInput
from roost.event_names import RESERVED_NAMES
from roost.models import (
    Emission,
    JournalWrite,
    RetryPolicy,
    StepState,
    TaskEnd,
    TaskReport,
    TaskSpec,
    WorkerHello,
)
from roost.models.codec import from_json, to_json
from roost.runs.payload import PAYLOAD_LIMIT, Payloads

NAME_LIMIT = 200
"""Characters of a name of a task, a step, a scope, a key; they stand in lines of views."""

DESCRIPTION_LIMIT = 2000
"""Characters of a description: a docstring, not a manual."""

LONGEST_S = 10 * 365 * 86_400.0
"""Ten years; a longer time is a mistake in its unit."""

TRIES_LIMIT = 100
"""Further attempts; more is a loop that nobody looks at."""

SLOTS_LIMIT = 1000
"""Runs at a time of a task or a worker; one machine does not do more."""

QUEUE_LIMIT = 100_000
"""Runs that may wait: the board holds them in memory."""

TASKS_LIMIT = 1000
"""Tasks of one worker; all are stored in one transaction."""

STEPS_LIMIT = 1000
"""Steps, journal writes and emissions in one report, each; all are stored in one transaction."""

OUTPUT_LIMIT = 256 * 1024
"""Characters of output in one report, for the same reason."""

EMISSION_LIMIT = 64 * 1024
"""Bytes of one emission: every viewer is sent it, and what is larger belongs behind a link."""

LINK_LIMIT = 2048
"""Characters of a link; browsers and proxies take no longer ones."""


def check_hello(hello: WorkerHello) -> None:
    """Make sure that a worker can do what it says.

    Raises:
        BadInput: it cannot.
    """
    _check_count("the slots of a worker", hello.slots, 1, SLOTS_LIMIT)
    if not 1 <= len(hello.tasks) <= TASKS_LIMIT:
        raise BadInput(f"a worker offers 1 to {TASKS_LIMIT} tasks, not {len(hello.tasks)}")
    names = [spec.name for spec in hello.tasks]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"the task {name!r} is offered twice; rename one of the two")
    for spec in hello.tasks:
        _check_task(spec)


def _check_task(spec: TaskSpec) -> None:
    check_word("name of a task", spec.name)
    if len(spec.description) > DESCRIPTION_LIMIT:
        raise BadInput(
            f"the description of the task {spec.name!r} has more than {DESCRIPTION_LIMIT} "
            "characters; shorten it"
        )
    if spec.age_limit_s is not None:
        _check_seconds(f"the age limit of the task {spec.name!r}", spec.age_limit_s)
    _check_retry(spec.name, spec.retry)
    if spec.slots is not None:
        _check_count(f"the slots of the task {spec.name!r}", spec.slots, 1, SLOTS_LIMIT)
    _check_count(f"the queue limit of the task {spec.name!r}", spec.queue_limit, 1, QUEUE_LIMIT)


def _check_retry(task: str, retry: RetryPolicy) -> None:
    _check_count(f"the further attempts of the task {task!r}", retry.attempts, 0, TRIES_LIMIT)
    _check_seconds(f"the first pause of the task {task!r}", retry.first_s)
    _check_seconds(f"the longest pause of the task {task!r}", retry.longest_s)


def _check_seconds(what: str, value: float) -> None:
    if not (math.isfinite(value) and 0 <= value <= LONGEST_S):
        raise BadInput(f"{what} is in seconds, from 0 to {LONGEST_S:g}, not {value!r}")


def _check_count(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise BadInput(f"{what} must be {least} to {most}, not {value!r}")


def check_word(what: str, word: str) -> None:
    """Make sure that something can be called so.

    Raises:
        BadInput: it cannot.
    """
    if not (word.strip() and len(word) <= NAME_LIMIT and word.isprintable()):
        raise BadInput(
            f"the {what} must have 1 to {NAME_LIMIT} printable characters, not {word[:50]!r}"
        )


def fit_input(payloads: Payloads, workspace: str, bundle: str, task: str, given: Any) -> Any:
    """Return the input of a run as it is kept: whole, for its handler is given it as it was.

    Raises:
        BadInput: it is no JSON, is too large, or holds a secret.
    """
    try:
        plain = from_json(to_json(given), Any)
    except (OverflowError, RecursionError, TypeError, ValueError) as error:
        raise BadInput(
            f"the input of {task!r} is no JSON that can be kept; nothing was begun"
        ) from error
    kept, is_cut = payloads.value(workspace, bundle, plain)
    if is_cut:
        raise BadInput(
            f"the input of {task!r} has more than {PAYLOAD_LIMIT} bytes or is nested too deeply; "
            "put it into a file and submit its path, nothing was begun"
        )
    if kept != plain:
        raise BadInput(
            f"the input of {task!r} holds a secret of {bundle!r}, or text that cannot be kept; its "
            "worker knows the secret, so leave it out, nothing was begun"
        )
    return plain


def check_report(payloads: Payloads, workspace: str, bundle: str, report: TaskReport) -> None:
    """Make sure that a report can be stored as it is.

    Raises:
        BadInput: it cannot; nothing of it is stored then.
    """
    counts = (len(report.journal), len(report.steps), len(report.emissions))
    if max(counts) > STEPS_LIMIT or len(report.output or "") > OUTPUT_LIMIT:
        raise BadInput(
            f"a report holds {STEPS_LIMIT} steps, journal entries and emissions each, and "
            f"{OUTPUT_LIMIT} characters of output at most; send several"
        )
    check_link(report.link)
    _check_journal(payloads, workspace, bundle, report.journal)
    for emission in report.emissions:
        _check_emission(emission)


def _check_journal(
    payloads: Payloads, workspace: str, bundle: str, journal: Sequence[JournalWrite]
) -> None:
    for write in journal:
        check_word("name of a step", write.name)
        if write.state is not StepState.DONE:
            continue
        kept, is_cut = payloads.value(workspace, bundle, write.value)
        if is_cut:
            raise BadInput(
                f"what the step {write.name!r} returned has more than {PAYLOAD_LIMIT} bytes or is "
                "nested too deeply; let it return where the result lies",
                step=write.name,
            )
        if kept != write.value:
            raise BadInput(
                f"what the step {write.name!r} returned holds a secret of {bundle!r}, or text that "
                "cannot be kept; let it return something else",
                step=write.name,
            )


def _check_emission(emission: Emission) -> None:
    check_word("name of an emission", emission.name)
    if emission.name.lower() in RESERVED_NAMES:
        raise BadInput(
            f"an emission cannot be called {emission.name!r}: only the daemon tells of that; "
            "choose another name"
        )
    if len(json.dumps(emission.data)) > EMISSION_LIMIT:
        raise BadInput(
            f"the emission {emission.name!r} has more than {EMISSION_LIMIT} bytes; emit where the "
            "data lies"
        )


def check_end(end: TaskEnd) -> None:
    """Make sure that a run can end so.

    Raises:
        BadInput: it cannot.
    """
    if end.status.is_active:
        raise BadInput(f"{end.status} is no end of a run; give one of succeeded, failed, aborted")
    if end.error is not None:
        check_word("error code", end.error.code)
    check_link(end.link)


def check_link(link: str | None) -> None:
    """Make sure that a link can be shown.

    Raises:
        BadInput: it cannot.
    """
    if link is not None and not (0 < len(link) <= LINK_LIMIT and link.isprintable()):
        raise BadInput(
            f"a link must have 1 to {LINK_LIMIT} printable characters; nothing was changed"
        )
