"""`Telling`: what both kinds of context know of their run and tell of it without waiting."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from roost.errors import BadInput
from roost.event_names import RESERVED_NAMES
from roost.sdk.courier import Courier
from roost.sdk.endings import StopRequested
from roost.sdk.outbox import Item
from roost.sdk.reporter import Reporter
from roost.sdk.request import check_json
from roost.sdk.told import checked_text, text_items
from roost.worker.checks import check_name
from roost.worker.claimed import Claimed
from roost.worker.journal import Journal
from roost.worker.post import TaskPost

EMISSION_LIMIT = 64 * 1024
"""Characters of one event as JSON: every viewer is sent it. The daemon takes no more."""

LINK_LIMIT = 2048
"""Characters; the daemon takes no more, nor do browsers."""


class Telling:
    """What the handler of one attempt is given, as far as it needs no waiting.

    Args:
        claimed: the run.
        courier: carries what is told.
        reporter: is woken for it.
        post: for what is asked besides.
        leaving: set once the worker is to end.
    """

    def __init__(
        self,
        claimed: Claimed,
        courier: Courier,
        reporter: Reporter,
        post: TaskPost,
        leaving: threading.Event,
    ) -> None:
        self._claimed = claimed
        self._courier = courier
        self._reporter = reporter
        self._post = post
        self._leaving = leaving
        self._journal = Journal(claimed.journal)
        self._dropped: set[str] = set()
        self.has_seen_stop = False
        """Whether the handler has learnt of a stop: what it does from here on is its own end."""

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._claimed.lease.run_id

    @property
    def task(self) -> str:
        """The task's name."""
        return self._claimed.task

    @property
    def input(self) -> Any:
        """What the run was submitted with."""
        return self._claimed.input

    @property
    def attempt(self) -> int:
        """Number of this attempt, from 1."""
        return self._claimed.attempt

    @property
    def on_behalf_of(self) -> str | None:
        """For whom the run acts; None for nobody."""
        return self._claimed.on_behalf_of

    @property
    def is_leaving(self) -> bool:
        """Whether the worker is about to end: what is not done soon, another attempt does."""
        return self._leaving.is_set()

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked for a stop; a handler that has seen it ends by itself."""
        is_asked = self._courier.lease.stop_requested
        self.has_seen_stop = self.has_seen_stop or is_asked
        return is_asked

    def check_stop(self) -> None:
        """Go on, unless somebody asked for a stop or has taken the run over.

        Raises:
            StopRequested: the handler is to end.
            LeaseLost: the run is not this worker's any more.
        """
        self._courier.check()
        if self.stop_requested:
            raise StopRequested(self.run_id)

    def was_interrupted(self, name: str) -> bool:
        """Say whether an earlier attempt ended in the middle of a step, half of which may stand."""
        return self._journal.was_interrupted(name)

    def _check(self) -> None:
        """Raise a stop once: what a handler tells after it is how it cleans up."""
        self._courier.check()
        if not self.has_seen_stop:
            self.check_stop()

    def _tell(self, item: Item, *, is_urgent: bool = False) -> int:
        number = self._courier.tell(item, is_urgent=is_urgent)
        self._reporter.wake()
        return number

    def _say(self, text: str) -> None:
        for item in text_items(text):
            self._tell(item)

    def _emission(self, name: str, data: Any) -> Item | None:
        """Return what is told of an event; None when it is dropped."""
        if check_name("an event", name).lower() in RESERVED_NAMES:
            self._warn_of(name)
            return None
        check_json(f"data of the event {name!r}", data)
        told = {"name": name, "data": data}
        size = len(json.dumps(told))
        if size > EMISSION_LIMIT:
            raise BadInput(
                f"the event {name!r} has more than {EMISSION_LIMIT} characters; emit where the "
                "data lies"
            )
        return Item(emission=told, size=size)

    def _link(self, url: str) -> Item:
        text = checked_text(url)
        if not (0 < len(text) <= LINK_LIMIT and text.isprintable()):
            raise BadInput(f"a link has 1 to {LINK_LIMIT} printable characters, not {text[:50]!r}")
        return Item(link=text)

    def _warn_of(self, name: str) -> None:
        if name in self._dropped:
            return
        self._dropped.add(name)
        said = (
            f"the event {name!r} of the task {self.task!r} is dropped: only Roost itself tells "
            "this name; choose another one"
        )
        sys.stderr.write(f"roost: run {self.run_id}: {said}\n")
        self._say(f"roost: {said}")

    def _note_interruption(self, name: str) -> None:
        number = self._journal.interrupted_in(name)
        if number is not None:
            self._say(f"roost: step {name!r} was interrupted in attempt {number} and runs again")

    def _progress(self, current: float, total: float | None, message: str | None) -> Item:
        text = None if message is None else checked_text(message)
        step = {"current": current, "total": total, "message": text}
        if isinstance(current, bool) or not isinstance(current, int | float):
            raise BadInput(f"progress is a number, not {current!r}")
        check_json("progress", step)
        return Item(step=step)
