"""The filter language: text that can be pasted to somebody else and to the command line.

Terms are separated by blanks and all must hold. A word is looked for anywhere, ignoring case;
``key:value`` in one field (``state:dead,stopped`` for either); ``since:1h`` keeps what is newer;
``~regex`` is a regular expression; ``!`` before a term inverts it; ``"two words"`` keep together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_TERM = re.compile(r'!?(?:[a-z]+:)?~?"[^"]*"|\S+')
_KEYED = re.compile(r"([a-z]+):(.+)", re.DOTALL)
_SPAN = re.compile(r"(\d+)([smhd])")
_UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

BUNDLE_KEYS = frozenset({"state", "kind", "name", "workspace", "runtime", "stale", "gen"})
RUN_KEYS = frozenset(
    {
        "status",
        "state",
        "waits",
        "kind",
        "bundle",
        "task",
        "tool",
        "scope",
        "workspace",
        "run",
    }
)
LOG_KEYS = frozenset({"stream", "gen"})


class FilterError(ValueError):
    """A filter that cannot be understood; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a filter looks at: one row or one line."""

    text: str
    at: int
    """Epoch milliseconds that ``since:`` compares with."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What ``key:value`` finds; a field with several values separates them by commas."""


_Test = Callable[[Subject, int], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter; an empty one matches everything."""

    source: str = ""
    tests: tuple[_Test, ...] = ()
    is_timed: bool = False
    """Whether the answer depends on the time."""

    def __bool__(self) -> bool:
        return bool(self.tests)

    def matches(self, subject: Subject, now: int) -> bool:
        """Say whether every term holds for `subject` at `now` (epoch milliseconds)."""
        return all(test(subject, now) for test in self.tests)


NO_FILTER = Filter()


def parse_filter(source: str, keys: frozenset[str], *, strict: bool = True) -> Filter:
    """Parse a filter.

    Args:
        source: what was typed.
        keys: the fields that ``key:value`` may name; ``since`` always may.
        strict: whether an unknown key is an error; otherwise such a term is a word, as suits logs.

    Raises:
        FilterError: a bad regular expression, time span or key.
    """
    terms = [_parse_term(term, keys, strict) for term in _TERM.findall(source)]
    tests = tuple(term for term in terms if term is not None)
    return Filter(source.strip(), tests, is_timed="since:" in source)


def _parse_term(term: str, keys: frozenset[str], strict: bool) -> _Test | None:
    if term.startswith("!") and len(term) > 1:
        inner = _parse_term(term[1:], keys, strict)
        return None if inner is None else _inverted(inner)
    if term.startswith("~"):
        return _regex(_unquoted(term[1:]))
    keyed = _KEYED.fullmatch(term)
    if keyed is None or (not strict and keyed[1] not in keys | {"since"}):
        word = _unquoted(term).casefold()
        return (lambda subject, now: word in subject.text.casefold()) if word else None
    return _field(keyed[1], _unquoted(keyed[2]), keys)


def _field(key: str, value: str, keys: frozenset[str]) -> _Test:
    if key == "since":
        return _since(value)
    if key not in keys:
        known = ", ".join(sorted(keys | {"since"}))
        raise FilterError(f"there is no {key!r} to filter by; use {known}, or quote the word")
    wanted = tuple(_normal(part) for part in value.split(",") if part)
    return lambda subject, now: _has(subject.fields.get(key, ""), wanted)


def _has(value: str, wanted: tuple[str, ...]) -> bool:
    return any(part.startswith(wanted) for part in _normal(value).split(","))


def _since(value: str) -> _Test:
    match = _SPAN.fullmatch(value)
    if match is None:
        raise FilterError(f"{value!r} is not a time span; write 30s, 10m, 1h or 2d")
    window_ms = int(match[1]) * _UNIT_MS[match[2]]
    return lambda subject, now: subject.at >= now - window_ms


def _regex(pattern: str) -> _Test | None:
    if not pattern:
        return None
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise FilterError(f"not a regular expression: {error.msg}") from error
    return lambda subject, now: compiled.search(subject.text) is not None


def _inverted(test: _Test) -> _Test:
    return lambda subject, now: not test(subject, now)


def _unquoted(text: str) -> str:
    return text.replace('"', "")


def _normal(text: str) -> str:
    return text.casefold().replace("_", "-").replace(" ", "-")
