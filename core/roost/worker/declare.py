"""`task`: declares a function as a durable task, and `Offer`, what a module declares."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from roost.errors import BadInput
from roost.sdk.request import check_json
from roost.worker.checks import (
    SLOTS_LIMIT,
    TRIES_LIMIT,
    check_choice,
    check_count,
    check_handler,
    check_name,
    check_seconds,
    check_transient,
)
from roost.worker.cron_text import check_cron, check_timezone

DEV_VARIABLE = "ROOST_DEV"
"""Set to 1 where a module is loaded again and again: a later task of a name replaces it."""

QUEUE_MOST = 100_000
DESCRIPTION_LIMIT = 2000
"""The daemon takes no more of either."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Task:
    """One declared task."""

    name: str
    handler: Callable[..., Any]
    transient: tuple[type[Exception], ...]
    spec: dict[str, Any]
    """As the daemon is told."""
    schedule: dict[str, Any] | None

    @property
    def is_async(self) -> bool:
        """Whether it runs in the worker's event loop."""
        call = getattr(self.handler, "__call__", None)  # noqa: B004  # an object may have an async one
        return inspect.iscoroutinefunction(self.handler) or inspect.iscoroutinefunction(call)


class Offer:
    """The tasks that a program declares, by name."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}

    def add(self, task: Task) -> None:
        """Take one more task.

        Raises:
            BadInput: another one has its name.
        """
        other = self.tasks.get(task.name)
        if other is not None:
            what = f"the task {task.name!r} is registered twice: {_place(other)}, {_place(task)}"
            if os.environ.get(DEV_VARIABLE) != "1":
                raise BadInput(f"{what}; rename one of the two")
            sys.stderr.write(f"roost: {what}; the later one counts\n")
        self.tasks[task.name] = task

    def hello(self, slots: int) -> dict[str, Any]:
        """Return what a worker says of itself."""
        tasks = list(self.tasks.values())
        return {
            "tasks": [task.spec for task in tasks],
            "schedules": [task.schedule for task in tasks if task.schedule is not None],
            "slots": slots,
        }


OFFER = Offer()
"""What the decorator has declared in this process: a worker does the tasks of one module."""


def task(
    name: str,
    *,
    description: str | None = None,
    recovery: Literal["resume", "rerun", "never"] = "resume",
    age_limit_s: float | None = None,
    retries: int = 0,
    transient: tuple[type[Exception], ...] | type[Exception] = (),
    retry_first_s: float = 1.0,
    retry_longest_s: float = 60.0,
    slots: int | None = None,
    queue_limit: int = 1000,
    schedule: str | None = None,
    timezone: str = "UTC",
    missed: Literal["skip", "once", "all"] = "skip",
    schedule_input: Any = None,
) -> Callable[[F], F]:
    """Declare a function ``(ctx, input)`` as a task; it stays an ordinary function.

    An ``async def`` is given a `TaskContext` and runs in the worker's event loop; any other
    function is given a `SyncTaskContext` and runs in a thread of its own.

    Args:
        name: unique in its workspace.
        description: one sentence; None takes the first line of the docstring.
        recovery: what becomes of a run whose worker ended in the middle of it: ``resume`` gives
            the next attempt the results of the steps that were done, ``rerun`` begins anew,
            ``never`` lets it fail.
        age_limit_s: a run begun longer ago is not recovered; 0 means never, None means always.
        retries: further attempts after an error that is `transient`.
        transient: errors that another attempt may not meet.
        retry_first_s: pause before the first of those; every further one is twice as long.
        retry_longest_s: the longest pause.
        slots: runs of it at a time, over all workers; None means as many as workers take.
        queue_limit: runs of it that may wait.
        schedule: five cron fields; it is submitted by itself then.
        timezone: in which the schedule is read.
        missed: what becomes of fires whose time passed while no daemon ran.
        schedule_input: input of the runs that the schedule begins.

    Raises:
        BadInput: something of it cannot be; the sentence says what to write instead.
    """
    name = check_name("a task", name)
    kinds = check_transient(name, transient)
    if bool(kinds) != bool(check_count("retries", retries, 0, TRIES_LIMIT)):
        raise BadInput(
            f"the task {name!r} is tried again after errors that it names: give both "
            "`retries=3` and `transient=(TimeoutError, ConnectionError)`, or neither"
        )
    spec = {
        "name": name,
        "recovery": check_choice("recovery", recovery, ("resume", "rerun", "never")),
        "age_limit_s": None if age_limit_s is None else check_seconds("age_limit_s", age_limit_s),
        "retry": {
            "attempts": retries,
            "first_s": check_seconds("retry_first_s", retry_first_s),
            "longest_s": check_seconds("retry_longest_s", retry_longest_s),
        },
        "slots": None if slots is None else check_count("slots", slots, 1, SLOTS_LIMIT),
        "queue_limit": check_count("queue_limit", queue_limit, 1, QUEUE_MOST),
    }
    plan = None if schedule is None else _schedule(name, schedule, timezone, missed, schedule_input)

    def declare(handler: F) -> F:
        said = _first_line(handler) if description is None else description
        whole = spec | {"description": said[:DESCRIPTION_LIMIT]}
        OFFER.add(Task(name, check_handler(name, handler), kinds, whole, plan))
        return handler

    return declare


def _schedule(name: str, cron: str, timezone: str, missed: str, input: Any) -> dict[str, Any]:
    check_json("schedule_input", input)
    return {
        "name": name,
        "task": name,
        "cron": check_cron(cron),
        "timezone": check_timezone(timezone),
        "input": input,
        "missed": check_choice("missed", missed, ("skip", "once", "all")),
    }


def _first_line(handler: Callable[..., Any]) -> str:
    return (getattr(handler, "__doc__", None) or "").strip().partition("\n")[0]


def _place(task: Task) -> str:
    code = getattr(task.handler, "__code__", None)
    if code is None:
        return repr(task.handler)
    return f"{code.co_filename} line {code.co_firstlineno}"
