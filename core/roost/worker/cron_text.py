"""`check_cron`: finds slips in a schedule where it is written; the daemon reads it in full."""

from __future__ import annotations

import re
from typing import Any

from roost.errors import BadInput

_FIELDS: tuple[tuple[str, int, int], ...] = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 7),
)
_NUMBERS = re.compile(r"\d+")
_PART = re.compile(r"(?:\*|L|LW|[0-9A-Z]+(?:-[0-9A-Z]+)?|[0-9A-Z]+#[1-5L]|[0-7]L)(?:/[1-9]\d*)?")


def check_cron(text: Any) -> str:
    """Return five cron fields.

    Raises:
        BadInput: it is something else; the sentence names the field.
    """
    fields = text.split() if isinstance(text, str) else []
    if len(fields) != len(_FIELDS):
        raise BadInput(
            f"a schedule has five fields, minute, hour, day of month, month and day of week, such "
            f"as '*/5 * * * *', not {text!r}"
        )
    for field, (name, least, most) in zip(fields, _FIELDS, strict=True):
        if not all(_is_part(part, least, most) for part in field.upper().split(",")):
            raise BadInput(
                f"{field!r} of the schedule {text!r} is no {name}; it takes numbers from {least} "
                f"to {most}, as in 1,3 or 1-5 or */2"
            )
    return str(text)


def check_timezone(name: Any) -> str:
    """Return the name of a time zone.

    Raises:
        BadInput: there is none of this name.
    """
    # Deferred: it is slow to import, and only schedules need it.
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        # Without any database of zones the daemon, which has one, is left to judge.
        if not isinstance(name, str) or available_timezones():
            raise BadInput(
                f"there is no time zone {name!r}; write one as 'Europe/Berlin' or 'UTC'"
            ) from None
    return str(name)


def _is_part(part: str, least: int, most: int) -> bool:
    if _PART.fullmatch(part) is None:
        return False
    numbers = _NUMBERS.findall(part.partition("/")[0].partition("#")[0])
    return all(least <= int(number) <= most for number in numbers)
