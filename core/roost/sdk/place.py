"""`Place`: where the daemon is, and as whom a program speaks to it."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from roost.errors import BadInput
from roost.settings.locations import default_data_dir, socket_path

TOKEN_VARIABLE = "ROOST_TOKEN_FD"
"""Announces the descriptor on which a supervised program finds its token."""

_TOKEN_BYTES = 65_536
"""More than any token text has; a pipe holds this much."""


@dataclass(frozen=True, slots=True)
class Place:
    """One workspace of one daemon."""

    socket: str
    workspace: str | None
    """None for the only one there is."""
    token: str | None = field(default=None, repr=False)


def find_place(
    workspace: str | None = None,
    data_dir: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Place:
    """Return where to report.

    A program that Roost runs has been handed everything by descriptor, unless it names another
    place itself. Others follow the rule of the command line: `data_dir`, else ``ROOST_DATA_DIR``,
    else the platform's place for user data; and ``ROOST_WORKSPACE``, else the only workspace.

    Raises:
        BadInput: the descriptor holds no token.
    """
    if data_dir is None and TOKEN_VARIABLE in environ:
        handed = _handed(environ[TOKEN_VARIABLE])
        if workspace in (None, handed.workspace):
            return handed
    directory = os.path.expanduser(data_dir) if data_dir else default_data_dir()
    chosen = workspace or environ.get("ROOST_WORKSPACE")
    return Place(socket_path(os.path.abspath(directory)), chosen or None)


@functools.cache
def _handed(number: str) -> Place:
    # Kept: a pipe can be read once only.
    try:
        facts = json.loads(_content(int(number)))
        return Place(str(facts["socket"]), str(facts["workspace"]), str(facts["token"]))
    except (OSError, ValueError, TypeError, KeyError):
        raise BadInput(
            f"the descriptor {number!r} that {TOKEN_VARIABLE} names holds no token of Roost; pass "
            "it on to the program that reports, or unset the variable"
        ) from None


def _content(descriptor: int) -> bytes:
    try:
        return os.pread(descriptor, _TOKEN_BYTES, 0)
    except OSError:  # a pipe has no positions
        return os.read(descriptor, _TOKEN_BYTES)
