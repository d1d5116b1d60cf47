"""A text that one child gets by an inherited descriptor: it is in no argv and no environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

TOKEN_VARIABLE = "ROOST_TOKEN_FD"
"""Tells the child the number of its descriptor."""


@contextmanager
def handed(content: bytes | None) -> Iterator[int | None]:
    """Give a descriptor that holds the content, for the time of a start; None for no content.

    Where the system has them it is sealed memory, which can be read as often as one likes;
    elsewhere a pipe.

    Args:
        content: less than a pipe takes, 64 KiB.
    """
    if content is None:
        yield None
        return
    descriptor = _sealed(content) if hasattr(os, "memfd_create") else _piped(content)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sealed(content: bytes) -> int:
    import fcntl  # deferred: its seals exist where sealed memory does

    descriptor = os.memfd_create("roost", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.write(descriptor, content)
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _piped(content: bytes) -> int:
    reading, writing = os.pipe()
    try:
        os.write(writing, content)
    finally:
        os.close(writing)
    return reading
