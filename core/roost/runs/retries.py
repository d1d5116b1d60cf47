"""What a retry begins: the kept input of a settled run, where it was kept as it was given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roost.errors import Refused
from roost.models import CallRequest, ExecRequest, RunDetail, RunKind
from roost.runs.payload import PAYLOAD_LIMIT, REDACTED, UNSCRUBBED
from roost.vault.scrub import REPLACEMENT

_KINDS = (RunKind.TOOL_CALL, RunKind.COMMAND, RunKind.TASK)

_COMMAND_OPTIONS = ("directory", "time_limit_s", "stop_grace_s", "stop_when_unwatched")


def check_may_retry(detail: RunDetail) -> None:
    """Refuse a retry that could not do the same again.

    Raises:
        Refused: the run is active, is no work of the daemon, or its input was not kept whole.
    """
    run = detail.run
    if run.kind not in _KINDS:
        raise Refused(
            f"{run.id} is work of another program; begin it anew there, nothing was started"
        )
    if run.status.is_active:
        raise Refused(
            f"{run.id} is {run.status} still; wait for it or `roost run stop {run.id}`, nothing "
            "was started"
        )
    if not _is_whole(detail.input):
        raise Refused(
            f"the input of {run.id} was not kept whole: it was cut, or parts are secret; begin it "
            "anew with all of it, nothing was started"
        )


def call_of(detail: RunDetail) -> tuple[str, CallRequest]:
    """Return the bundle and the request of a tool call, without its idempotency key."""
    run = detail.run
    if run.bundle is None or run.tool is None or not isinstance(detail.input, dict):
        raise Refused(f"what {run.id} called is not kept; nothing was started")
    return run.bundle, CallRequest(run.tool, detail.input, scope=run.scope)


def command_of(detail: RunDetail) -> ExecRequest:
    """Return the request of a command, without its idempotency key.

    Raises:
        Refused: it had variables of its own, whose values are never kept.
    """
    run, given = detail.run, detail.input
    if not isinstance(given, dict) or not given.get("command"):
        raise Refused(f"what {run.id} ran is not kept; nothing was started")
    if given.get("env"):
        raise Refused(
            f"{run.id} had variables of its own, whose values are never kept; begin it anew with "
            "them, nothing was started"
        )
    options = {key: given[key] for key in _COMMAND_OPTIONS if given.get(key) is not None}
    return ExecRequest(tuple(given["command"]), title=run.title, scope=run.scope, **options)


def _is_whole(kept: Any) -> bool:
    """Whether an input was kept as it was given, as far as what is kept can tell."""
    return _weight(kept) < PAYLOAD_LIMIT and not any(
        mark in text for text in _texts(kept) for mark in (REPLACEMENT, REDACTED, UNSCRUBBED)
    )


def _weight(value: Any) -> int:
    """Return the bytes that a kept value counts for; what was cut has used up its limit."""
    if isinstance(value, str):
        return len(value.encode()) + 2
    if isinstance(value, dict):
        return sum(_weight(key) + _weight(item) for key, item in value.items())
    return sum(map(_weight, value)) if isinstance(value, list) else 8


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
