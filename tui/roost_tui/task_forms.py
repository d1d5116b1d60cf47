"""The forms of tasks and schedules, and what is read out of them.

A form is described as the input of a tool is, so that one editor serves them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from roost.models import MissedFires, ScheduleSpec, SubmitRequest, TaskView, ToolView

_INPUT = {"description": "what the task is given; empty is nothing"}

_FOR_ME = "for me"
"""Named as it reads, for the name is the label."""

_SUBMIT = {
    "type": "object",
    "properties": {
        "input": _INPUT,
        "scope": {
            "type": "string",
            "description": "thread or job that it belongs to: one active run each",
        },
        _FOR_ME: {
            "type": "boolean",
            "default": False,
            "description": "it acts for you: after a crash only you let it go on",
        },
        "anew": {
            "type": "boolean",
            "default": False,
            "description": "a run of its own, although one with the same input exists",
        },
    },
    "additionalProperties": False,
}


def submit_forms(tasks: Sequence[TaskView]) -> list[ToolView]:
    """Return the form of each task."""
    return [
        ToolView(view.spec.name, description=view.spec.description, input_schema=_SUBMIT)
        for view in tasks
    ]


def read_submit(arguments: Mapping[str, Any]) -> SubmitRequest:
    """Return what a filled in form asks for."""
    return SubmitRequest(
        arguments.get("input"),
        scope=arguments.get("scope"),
        on_behalf=bool(arguments.get(_FOR_ME)),
        anew=bool(arguments.get("anew")),
    )


def schedule_form(tasks: Sequence[TaskView]) -> ToolView:
    """Return the form of a schedule of one of these tasks."""
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "task": {"type": "string", "enum": [view.spec.name for view in tasks]},
            "cron": {
                "type": "string",
                "minLength": 1,
                "description": "minute, hour, day of month, month, day of week: */5 * * * *",
            },
            "timezone": {
                "type": "string",
                "default": "UTC",
                "description": "where the times are, such as Europe/Berlin",
            },
            "missed": {
                "type": "string",
                "description": "what becomes of fires missed while nothing ran",
                "enum": [policy.value for policy in MissedFires],
                "default": MissedFires.SKIP.value,
            },
            "input": _INPUT,
        },
        "required": ["name", "task", "cron"],
        "additionalProperties": False,
    }
    about = "It submits a task by itself. One of this name that an operator made is changed."
    return ToolView("schedule", description=about, input_schema=schema)


def read_schedule(arguments: Mapping[str, Any]) -> ScheduleSpec:
    """Return what a filled in form asks for."""
    return ScheduleSpec(
        arguments["name"],
        arguments["task"],
        arguments["cron"],
        arguments.get("timezone") or "UTC",
        arguments.get("input"),
        MissedFires(arguments.get("missed") or MissedFires.SKIP),
    )
