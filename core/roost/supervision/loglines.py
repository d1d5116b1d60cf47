"""Lines of captured output: cut out of raw chunks, and their form on disk.

On disk a line is ``<epoch_ms> <out|err|roost> <text>`` and a line feed.
"""

from __future__ import annotations

from roost.models import LogLine, LogStream

LINE_LIMIT = 8192
"""Bytes kept of one line; the rest is counted in a mark at its end."""


class LineSplitter:
    """Cuts raw chunks of one stream into lines, in bounded memory.

    A carriage return at the end of a line belongs to the line end. Inside a line it starts the line
    over, as on a terminal, so a progress display leaves its last state.
    """

    def __init__(self) -> None:
        self._kept = bytearray()
        self._cut = 0
        self._returns = False
        """Whether the last byte was a carriage return, whose meaning the next byte decides."""

    @property
    def partial(self) -> str:
        """The text of the unfinished line."""
        text = bytes(self._kept)
        if not self._cut:
            return text.decode("utf-8", "replace")
        whole = _whole_characters(text)
        cut = self._cut + len(text) - len(whole)
        return f"{whole.decode('utf-8', 'replace')} [cut {cut} bytes]"

    def feed(self, data: bytes) -> list[str]:
        """Take a chunk and return the lines it finished."""
        if not (self._cut or self._returns or b"\r" in data):
            *ended, rest = (bytes(self._kept) + data).split(b"\n")
            if max(map(len, ended), default=0) <= LINE_LIMIT and len(rest) <= LINE_LIMIT:
                self._kept = bytearray(rest)
                return _decoded(ended)
        return self._feed_slowly(data)

    def _feed_slowly(self, data: bytes) -> list[str]:
        """Take a chunk with carriage returns or lines past the limit."""
        *ended, rest = data.split(b"\n")
        lines = []
        for part in ended:
            self._extend(part)
            lines.append(self._finish())
        self._extend(rest)
        return lines

    def flush(self) -> list[str]:
        """Return the unfinished line, if there is one."""
        return [self._finish()] if self._kept else []

    def _extend(self, part: bytes) -> None:
        if not part:
            return
        text = part.rstrip(b"\r")
        start = text.rfind(b"\r") + 1
        if text and (start or self._returns):
            self._restart()
        if text:
            room = LINE_LIMIT - len(self._kept)
            self._cut += max(len(text) - start - room, 0)
            self._kept += text[start : start + room]
            self._returns = False
        self._returns = self._returns or len(text) < len(part)

    def _finish(self) -> str:
        line = self.partial
        self._restart()
        return line

    def _restart(self) -> None:
        self._kept.clear()
        self._cut = 0
        self._returns = False


def _decoded(lines: list[bytes]) -> list[str]:
    # One call for all: a line feed ends a broken character, so lines stay apart.
    return b"\n".join(lines).decode("utf-8", "replace").split("\n") if lines else []


def _whole_characters(text: bytes) -> bytes:
    """Take an incomplete UTF-8 character off the end."""
    for back in range(1, min(4, len(text)) + 1):
        byte = text[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return text[:-back] if back < needed else text
    return text


def format_lines(at: int, stream: LogStream, texts: list[str]) -> list[bytes]:
    """Return lines as they stand on disk."""
    start = f"{at} {stream.value} "
    return [f"{start}{text}\n".encode("utf-8", "replace") for text in texts]


def parse_line(raw: bytes, generation: int, offset: int) -> LogLine:
    """Read a line without its line feed; one that is damaged is shown as it stands."""
    at, _, rest = raw.partition(b" ")
    stream, _, text = rest.partition(b" ")
    try:
        known = LogStream(stream.decode("ascii", "replace"))
        return LogLine(int(at), known, text.decode("utf-8", "replace"), generation, offset)
    except ValueError:
        return LogLine(0, LogStream.ROOST, raw.decode("utf-8", "replace"), generation, offset)
