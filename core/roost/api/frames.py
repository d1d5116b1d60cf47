"""Events as they go over the wire; a change is encoded once, however many viewers it goes to."""

from __future__ import annotations

from collections.abc import Iterable

from roost.models import EVENT_NAMES, Change, EngineEvent
from roost.models.codec import to_json

KEPT = 512
"""Encoded changes at hand, some hundred KiB; a viewer that is further behind costs its own."""


def frame(name: str, data: object, id: str | None = None) -> bytes:
    """Return one event as it goes over the wire; JSON never holds a line break."""
    id_line = f"id: {id}\n".encode() if id is not None else b""
    return b"event: %b\n%bdata: %b\n\n" % (name.encode(), id_line, to_json(data))


class EngineFrames:
    """The events of one bus as frames, under ids ``START.REVISION``.

    Args:
        start_id: the bus's own.
    """

    def __init__(self, start_id: str) -> None:
        self._start_id = start_id
        self._kept: dict[int, bytes] = {}

    def joined(self, events: Iterable[EngineEvent]) -> bytes:
        """Return several events in one piece."""
        return b"".join(map(self._frame, events))

    def _frame(self, event: EngineEvent) -> bytes:
        if not isinstance(event, Change):
            return frame("snapshot", event, self._id(event))
        found = self._kept.get(event.revision)
        if found is None:
            found = frame(EVENT_NAMES[type(event.body)], event.body, self._id(event))
            self._keep(event.revision, found)
        return found

    def _id(self, event: EngineEvent) -> str:
        return f"{self._start_id}.{event.revision}"

    def _keep(self, revision: int, encoded: bytes) -> None:
        self._kept[revision] = encoded
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
