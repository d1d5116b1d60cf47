"""`Told`: the part of a run that is the same with and without an event loop."""

from __future__ import annotations

from typing import Any

from roost.errors import BadInput
from roost.sdk.courier import Courier
from roost.sdk.endings import Ending, StopRequested, ending_of
from roost.sdk.outbox import Item
from roost.sdk.request import check_json

PIECE_CHARS = 200_000
"""The daemon takes somewhat more in one report."""


ROOM_LOOK_S = 0.1
"""How often work that waits for room looks whether anybody still listens."""


class Told:
    """What a block of work knows of its run."""

    def __init__(self) -> None:
        self._courier: Courier | None = None
        self._steps = 0.0
        self._has_seen_stop = False
        self._result: Any = None

    @property
    def id(self) -> str | None:
        """The run's id; None while it is not reported."""
        return self._courier.lease.run_id if self._courier is not None else None

    @property
    def is_reported(self) -> bool:
        """Whether Roost hears of this work."""
        return self._courier is not None and not self._courier.is_over

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked for a stop; a block that has seen it and ends is `aborted`."""
        if self._courier is None or not self._courier.lease.stop_requested:
            return False
        self._has_seen_stop = True
        return True

    def check_stop(self) -> None:
        """Go on, unless somebody asked for a stop.

        Raises:
            StopRequested: it is to leave the block, whose run then is `aborted`.
            LeaseLost, RoostUnreachable: nobody hears of this work any more.
        """
        self._check()
        if self.stop_requested:
            raise StopRequested(self.id or "")

    @property
    def result(self) -> Any:
        """What the work came to: kept with the run once it ends."""
        return self._result

    @result.setter
    def result(self, value: Any) -> None:
        check_json("result", value)
        self._result = value

    def _check(self) -> None:
        if self._courier is not None:
            self._courier.check()

    def _step(self, message: str, current: float | None, total: float | None) -> Item:
        at = self._steps + 1 if current is None else current
        message = checked_text(message)
        step = {"current": at, "total": total, "message": message}
        check_json("step", step)
        self._steps = at
        return Item(step=step)

    def _ending(self, error: BaseException | None) -> dict[str, Any]:
        ending: Ending = ending_of(error, has_seen_stop=self._has_seen_stop)
        return {**ending.body(), "result": self._result}


def checked_text(text: str) -> str:
    """Return a text as it can be told.

    Raises:
        BadInput: it is none.
    """
    if not isinstance(text, str):
        raise BadInput(f"a run takes texts, not {type(text).__name__}; use str() or json.dumps()")
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text elsewhere


def text_items(text: str) -> list[Item]:
    """Return a text to tell, in pieces that a report takes.

    Raises:
        BadInput: it is none.
    """
    whole = checked_text(text)
    pieces = range(0, max(len(whole), 1), PIECE_CHARS)
    return [Item(text=whole[at : at + PIECE_CHARS]) for at in pieces]
