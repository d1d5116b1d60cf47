"""`SseDecoder` turns the bytes of an event stream into events, wherever the pieces are cut.

Follows the parsing rules of the HTML standard's server-sent events; comments vanish here. It
imports nothing, because the verbs of the command line that follow a stream use it too.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` costs more than decoding a snapshot
    from collections.abc import Iterator


class ServerEvent:
    """One event: its name (``message`` when the stream gave none), data and last seen id."""

    __slots__ = ("data", "id", "name")

    def __init__(self, name: str, data: str, id: str) -> None:
        self.name = name
        self.data = data
        self.id = id

    def __repr__(self) -> str:
        return f"ServerEvent({self.name!r}, {self.data!r}, {self.id!r})"


class SseDecoder:
    """Decodes one stream; feed it every piece in order."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        """Pieces of the line that is not complete yet."""
        self._ended_with_cr = False
        self._is_first_line = True
        self._name = ""
        self._data: list[str] = []
        self._last_id = ""

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """Take the next piece and yield the events it completes."""
        for line in self._complete_lines(chunk):
            if event := self._take(line):
                yield event

    def _complete_lines(self, chunk: bytes) -> list[bytes]:
        if self._ended_with_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._ended_with_cr = False
        if not chunk:
            return []
        self._ended_with_cr = chunk.endswith(b"\r")
        first, *others = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._pieces.append(first)
        if not others:
            return []
        complete = [b"".join(self._pieces), *others[:-1]]
        self._pieces = [others[-1]]
        return complete

    def _take(self, raw: bytes) -> ServerEvent | None:
        line = raw.decode(errors="replace")
        if self._is_first_line:
            self._is_first_line = False
            line = line.removeprefix("\ufeff")
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self._last_id = value
        return None

    def _dispatch(self) -> ServerEvent | None:
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        return ServerEvent(name, "\n".join(data), self._last_id) if data else None
