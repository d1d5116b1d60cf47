"""What `task` takes, and how clearly it refuses the rest."""

import functools
from typing import Any

import pytest

from roost import SyncTaskContext, TaskContext, task
from roost.errors import BadInput
from roost.models import ScheduleSpec, TaskSpec, WorkerHello
from roost.models.codec import from_builtins
from roost.runs.task_checks import check_hello
from roost.worker.declare import Offer


async def handler(ctx: TaskContext, input: Any) -> None:
    """Build a report.

    At length.
    """


def test_what_is_declared_is_what_the_daemon_reads(offer: Offer) -> None:
    task(
        "report.build",
        recovery="rerun",
        retries=3,
        transient=(TimeoutError, ConnectionError),
        age_limit_s=86400,
        slots=2,
        schedule="*/5 8-18 * JAN,MAR MON-FRI",
        timezone="Europe/Berlin",
        missed="once",
        schedule_input={"day": 3},
    )(handler)
    hello = from_builtins(offer.hello(4), WorkerHello)
    check_hello(hello)
    (spec,) = hello.tasks
    assert (spec.name, spec.description) == ("report.build", "Build a report.")
    assert (spec.recovery, spec.age_limit_s, spec.slots) == ("rerun", 86400, 2)
    assert spec.retry.attempts == 3
    (schedule,) = hello.schedules
    assert schedule == ScheduleSpec(
        name="report.build",
        task="report.build",
        cron="*/5 8-18 * JAN,MAR MON-FRI",
        timezone="Europe/Berlin",
        input={"day": 3},
        missed=schedule.missed,
    )
    assert schedule.missed == "once" and hello.slots == 4


def test_the_defaults_are_those_of_the_daemon(offer: Offer) -> None:
    task("plain", description="")(handler)
    assert from_builtins(offer.hello(1), WorkerHello).tasks == (TaskSpec("plain"),)


def test_the_function_stays_what_it_was() -> None:
    assert task("same")(handler) is handler


def test_a_name_registered_twice_is_refused_with_both_places(offer: Offer) -> None:
    task("twice")(handler)
    with pytest.raises(BadInput, match=r"'twice' is registered twice: .*line \d+, .*line \d+"):

        @task("twice")
        def second(ctx: SyncTaskContext, input: Any) -> None: ...

    assert offer.tasks["twice"].handler is handler


def test_in_development_the_later_one_replaces_it_with_a_warning(
    offer: Offer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROOST_DEV", "1")
    task("twice")(lambda ctx, input: None)
    task("twice")(handler)
    assert offer.tasks["twice"].handler is handler
    assert "the later one counts" in capsys.readouterr().err


@pytest.mark.parametrize("limit", [-1, float("nan"), float("inf"), True, "5", b"5", 1e12])
def test_a_bad_age_limit_is_refused(offer: Offer, limit: Any) -> None:
    with pytest.raises(BadInput, match="age_limit_s is in seconds, 0 or more"):
        task("old", age_limit_s=limit)(handler)
    assert not offer.tasks


@pytest.mark.parametrize("limit", [0, 0.5, None])
def test_a_good_age_limit_is_taken(offer: Offer, limit: Any) -> None:
    task("old", age_limit_s=limit)(handler)
    assert offer.tasks["old"].spec["age_limit_s"] == limit


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"retries": -1, "transient": OSError}, "retries is a whole number"),
        ({"retries": True, "transient": OSError}, "retries is a whole number"),
        ({"retries": 2}, "give both"),
        ({"transient": OSError}, "give both"),
        ({"retries": 2, "transient": ("OSError",)}, "exception classes"),
        ({"retries": 2, "transient": KeyboardInterrupt}, "exception classes"),
        ({"slots": 0}, "slots is a whole number from 1"),
        ({"slots": 1.5}, "slots is a whole number"),
        ({"queue_limit": 0}, "queue_limit is a whole number"),
        ({"recovery": "again"}, "recovery is 'resume' or 'rerun' or 'never'"),
        ({"schedule": "* * * *"}, "five fields"),
        ({"schedule": 5}, "five fields"),
        ({"schedule": "61 * * * *"}, "'61' of the schedule"),
        ({"schedule": "* 24 * * *"}, "no hour"),
        ({"schedule": "* * 0 * *"}, "no day of month"),
        ({"schedule": "a-b-c * * * *"}, "no minute"),
        ({"schedule": "* * * * *", "timezone": "Berlin"}, "no time zone 'Berlin'"),
        ({"schedule": "* * * * *", "timezone": None}, "no time zone None"),
        ({"schedule": "* * * * *", "missed": "some"}, "missed is 'skip'"),
        ({"schedule": "* * * * *", "schedule_input": {1, 2}}, "schedule_input"),
    ],
)
def test_whatever_cannot_be_is_refused_where_it_is_written(
    offer: Offer, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(BadInput, match=why):
        task("bad", **options)(handler)
    assert not offer.tasks


@pytest.mark.parametrize(
    "cron", ["0 0 L * *", "*/15 0,12 1-7 */2 1#2", "5 4 * * 5L", "0 9 * DEC 7"]
)
def test_what_the_daemon_reads_of_schedules_is_taken(offer: Offer, cron: str) -> None:
    from cronsim import CronSim  # the reader of the daemon itself

    task("good", schedule=cron)(handler)
    from datetime import UTC, datetime

    assert next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, 7, None, "a\nb"])
def test_a_task_without_a_name_is_refused(name: Any) -> None:
    with pytest.raises(BadInput, match="a task needs a name"):
        task(name)


def test_the_bare_decorator_is_told_what_to_write() -> None:
    with pytest.raises(BadInput, match=r"write @task\('NAME'\) above handler"):
        task(handler)  # type: ignore[arg-type]  # the slip itself


def test_a_function_that_cannot_be_called_as_a_handler_is_refused() -> None:
    def alone(ctx: object) -> None: ...

    def yields(ctx: object, input: object) -> Any:
        yield 1

    for bad, why in ((alone, r"write def alone\(ctx, input\)"), (yields, "must not yield")):
        with pytest.raises(BadInput, match=why):
            task("bad")(bad)


def test_an_async_handler_is_known_by_whatever_it_is(offer: Offer) -> None:
    class Callable:
        async def __call__(self, ctx: TaskContext, input: Any) -> None: ...

    task("partial")(functools.partial(handler))
    task("object")(Callable())
    task("plain")(lambda ctx, input: None)
    assert [each.is_async for each in offer.tasks.values()] == [True, True, False]
