"""The part of the screen's filter language that the daemon answers, for lists of runs.

Terms are separated by blanks and all must hold: ``state:failed,aborted kind:tool since:1h``. A
word of a fixed list may be shortened, as on the screen. What only the screen can do, such as
looking for a word anywhere, is refused rather than left out: a list that shows more than was asked
for would be acted upon.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SPAN = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

STATUSES = ("pending", "running", "succeeded", "failed", "aborted")
KINDS = ("tool_call", "command", "task", "external")

_LISTS = {"status": ("status", STATUSES), "state": ("status", STATUSES), "kind": ("kind", KINDS)}
_NAMES = ("bundle", "scope", "workspace", "parent")
_KEYS = (*_LISTS, *_NAMES, "since")


class BadFilter(ValueError):
    """A filter that cannot be understood; the message says what to change."""


def run_query(terms: Sequence[str], now: int) -> dict[str, object]:
    """Return what a filter asks the daemon for, by the names of `RunQuery`'s wire form.

    Args:
        terms: the filter, in one text or several.
        now: epoch milliseconds that ``since:`` counts back from.

    Raises:
        BadFilter: a term is none that the daemon can answer.
    """
    query: dict[str, object] = {}
    for term in " ".join(terms).split():
        key, colon, value = term.partition(":")
        if not (colon and value and key in _KEYS):
            raise BadFilter(
                f"{term!r} is no filter of this list; write KEY:VALUE with one of "
                f"{', '.join(_KEYS)}. The screen also looks for words"
            )
        name, found = _term(key, value, now)
        if name in query:
            raise BadFilter(f"{key} is asked for twice; write {key}:one,other for either")
        query[name] = found
    return query


def since_ms(span: str, now: int) -> int:
    """Return the time that lies a span such as ``30s``, ``10m``, ``1h`` or ``2d`` back.

    Raises:
        BadFilter: it is no span.
    """
    match = _SPAN.fullmatch(span)
    if match is None:
        raise BadFilter(f"{span!r} is not a time span; write 30s, 10m, 1h or 2d")
    return max(0, now - int(match[1]) * _UNIT_MS[match[2]])


def chosen(what: str, text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a fixed list that a text means; each may be shortened.

    Raises:
        BadFilter: it means none of them.
    """
    wanted = [part.casefold().replace("-", "_") for part in text.split(",") if part]
    for part in wanted:
        if not any(word.startswith(part) for word in known):
            raise BadFilter(f"there is no {what} {part!r}; use {', '.join(known)}")
    return tuple(word for word in known if word.startswith(tuple(wanted)))


def _term(key: str, value: str, now: int) -> tuple[str, object]:
    if key == "since":
        return key, since_ms(value, now)
    if key in _LISTS:
        name, known = _LISTS[key]
        return name, chosen(name, value, known)
    if "," in value:
        raise BadFilter(f"{key} takes one name here; ask for each by itself")
    return key, value
