"""`Cron`: the times that a cron expression means in a time zone, as epoch milliseconds.

What daylight saving skips fires right after the gap, and what it repeats fires once, unless minute
or hour begins with a star: such an expression goes by the time that really passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import takewhile

from roost.errors import BadInput

EXPRESSION_LIMIT = 200
"""Characters of an expression: five fields with every value named do not need more."""

FIELDS = 5

LONGEST_SHIFT = timedelta(hours=3)
"""No zone moves its clock by more at once, but by whole days; a repeated hour is looked at again
this far."""

_HELP = "give five fields, such as `0 7 * * mon-fri`"


class Cron:
    """One expression in one time zone.

    Args:
        expression: minute, hour, day of month, month and day of week.
        timezone: name of the IANA database.

    Raises:
        BadInput: it is no expression, no such time zone exists, or it never comes.
    """

    def __init__(self, expression: str, timezone: str) -> None:
        self._zone = _zone(timezone)
        self._expression = _checked(expression)
        if self.after(0) is None:
            raise BadInput(f"the cron expression {expression!r} never comes; {_HELP}")

    def after(self, at: int) -> int | None:
        """Return the first time after a moment; None when there is none in 50 years."""
        start = self._local(at)
        for found in _times(self._expression, start):
            # Of an hour that is repeated the first one is meant, which may be past by then.
            if (moment := _moment(found)) > at:
                return moment
        return None

    def newest(self, first: int, last: int, limit: int) -> tuple[int, ...]:
        """Return the newest times from `first` to `last`, both included, oldest first."""
        moments = takewhile(lambda moment: moment >= first, self._before(last))
        found: set[int] = set()
        for moment in moments:
            if moment <= last:
                found.add(moment)
            if len(found) == limit:
                break
        return tuple(sorted(found))

    def _before(self, at: int) -> Iterator[int]:
        start = self._local(at) + LONGEST_SHIFT
        return (_moment(found) for found in _times(self._expression, start, reverse=True))

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at // 1000, self._zone)


def fire_name(at: int) -> str:
    """Return how a time is named in a key: ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(found: datetime) -> int:
    return round(found.timestamp()) * 1000


def _times(expression: str, start: datetime, *, reverse: bool = False) -> Iterator[datetime]:
    # Here and below, loaded for those who have schedules: the others save a MiB.
    from cronsim import CronSim

    return CronSim(expression, start, reverse=reverse)


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(
            f"there is no time zone {name[:100]!r}; give a name such as Europe/Berlin, or UTC"
        ) from error


def _checked(expression: str) -> str:
    shown = expression[:EXPRESSION_LIMIT]
    if len(expression) > EXPRESSION_LIMIT or len(expression.split()) != FIELDS:
        raise BadInput(f"{shown!r} is no cron expression; {_HELP}")
    from cronsim import CronSim, CronSimError

    try:
        CronSim(expression, datetime.fromtimestamp(0, UTC))
    except CronSimError as error:
        told = str(error).replace("Bad ", "its field is wrong: ")
        raise BadInput(f"{shown!r} is no cron expression ({told}); {_HELP}") from error
    return expression
