"""Makes the three standard streams what they are in a plain start over the same descriptors."""

from __future__ import annotations

import io
import sys
from typing import Any


def renew() -> None:
    """Make the interpreter's own stream objects anew, in place.

    In place, because modules may hold them; anew, because a file object remembers of its descriptor
    whether it can be sought. Encoding and buffering stay: what decides on them is the same for the
    template and for everything that is started from it, and none of the streams is a terminal.
    """
    for stream, descriptor, mode in (
        (sys.__stdin__, 0, "r"),
        (sys.__stdout__, 1, "w"),
        (sys.__stderr__, 2, "w"),
    ):
        if isinstance(stream, io.TextIOWrapper):
            _renew(stream, descriptor, mode)


def _renew(stream: Any, descriptor: int, mode: str) -> None:
    name, encoding, errors = stream.name, stream.encoding, stream.errors
    by_line, through = stream.line_buffering, stream.write_through
    buffer = stream.buffer
    if not isinstance(buffer, io.RawIOBase):
        # A new one: an old one keeps what it knows of its descriptor even when it is made anew.
        raw: Any = io.FileIO(descriptor, mode + "b", closefd=False)
        raw.name = name
        buffer.__init__(raw)
    stream.__init__(
        buffer, encoding, errors, newline="\n", line_buffering=by_line, write_through=through
    )
    stream.mode = mode
