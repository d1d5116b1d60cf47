"""`Wish`: what a program asks for when it begins a run."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from roost.errors import BadInput, DaemonUnreachable, NotFound
from roost.sdk.courier import Courier, Lease, say_unreported
from roost.sdk.endings import AlreadyFinished
from roost.sdk.patience import PATIENCE_S, patiently
from roost.sdk.place import Place
from roost.sdk.post import Post

JSON_LIMIT = 3 * 1024 * 1024
"""Bytes; the daemon takes a little more in one request, and keeps the first part of it."""

_ACTIVE = ("pending", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A run to begin. `lease_s` is in seconds."""

    title: str
    input: Any = None
    scope: str | None = None
    key: str | None = None
    on_behalf_of: str | None = None
    parent: str | None = None
    lease_s: float = 60.0
    required: bool = True

    def body(self) -> dict[str, Any]:
        """Return the beginning request.

        It always has a key: a begin whose answer got lost must not begin a second run.

        Raises:
            BadInput: the input cannot be kept.
        """
        check_json("input", self.input)
        return {
            "title": self.title,
            "input": self.input,
            "scope": self.scope,
            "on_behalf_of": self.on_behalf_of,
            "idempotency_key": self.key or f"sdk-{uuid.uuid4().hex}",
            "parent": self.parent,
            "lease_s": self.lease_s,
        }


def take_lease(
    wish: Wish, find: Callable[[], Place], pause: Callable[[float], object]
) -> Courier | None:
    """Begin the run and return who reports for it; None when it goes on unreported.

    Raises:
        AlreadyFinished: the key's run has finished.
        RoostUnreachable, AlreadyActive, IdempotencyConflict, WorkspaceNotFound, BadInput: no run
        was begun.
    """
    body, post = wish.body(), Post(find())
    try:
        patience_s = PATIENCE_S if wish.required else 0.0
        answer = patiently(lambda: post.begin(body), "the run", patience_s, pause)
    except (DaemonUnreachable, NotFound) as error:
        if wish.required:
            raise
        say_unreported(error.message)
        return None
    lease = Lease.read(answer)
    if lease.status not in _ACTIVE:
        raise AlreadyFinished(answer["run"])
    return Courier(post, lease, lease_s=wish.lease_s, is_required=wish.required)


def check_json(what: str, value: object) -> None:
    """Make sure that a value can be kept.

    Raises:
        BadInput: it is no JSON, or too long.
    """
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(
            f"the {what} of the run cannot be kept as JSON ({type(error).__name__}); give texts, "
            "numbers, lists and dicts"
        ) from None
    if len(text) > JSON_LIMIT:
        raise BadInput(
            f"the {what} of the run is longer than {JSON_LIMIT} bytes as JSON; keep it in a file "
            "and tell where by `link`"
        )
