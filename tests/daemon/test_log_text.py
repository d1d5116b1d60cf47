"""How a record of the daemon's log reads."""

from __future__ import annotations

import logging
import re

import pytest

from roost.daemon_log_text import ERRORS_SHOWN, JournalFormatter, LineFormatter, told
from roost.errors import StoreUnavailable

SECRET = "hunter2-do-not-tell"


def record(
    message: str, *arguments: object, error: BaseException | None = None
) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord(
        "roost.test", logging.WARNING, __file__, 1, message, arguments, exc_info=info
    )


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


def test_a_record_has_time_level_and_logger_on_one_line() -> None:
    line = LineFormatter().format(record("%s is up", "git"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} WARNING roost.test: git is up", line)


@pytest.mark.parametrize("name", ["a\nb", "a\r\nb", "a\x1b[2Jb", "a\u2028b", "a\x00b", "a\x9bb"])
def test_a_message_stays_on_one_line_and_steers_no_terminal(name: str) -> None:
    line = LineFormatter().format(record("the bundle %s", name))
    assert line.isprintable()
    assert len(line.splitlines()) == 1


def test_a_traceback_names_types_and_places_and_nothing_it_held() -> None:
    cause = raised(KeyError(SECRET))
    text = LineFormatter().format(record("it failed", error=raised(ValueError(SECRET), cause)))
    first, *below = text.splitlines()
    assert first.endswith("it failed")
    assert all(line.startswith("    ") for line in below)
    assert below[0] == "    ValueError"
    assert "    because of KeyError" in below
    assert any(__file__ in line and "in raised" in line for line in below)
    assert SECRET not in text


def test_errors_of_our_own_and_of_the_system_are_quoted() -> None:
    lost = OSError(28, "No space left on device")
    lines = list(told(raised(StoreUnavailable("the store is away"), lost)))
    assert lines[0] == "StoreUnavailable: the store is away"
    assert "because of OSError: [Errno 28] No space left on device" in lines


def test_the_errors_of_a_group_are_all_told() -> None:
    group = ExceptionGroup("two", [raised(ValueError("a")), raised(LookupError("b"))])
    text = "\n".join(told(raised(group)))
    assert "ExceptionGroup" in text
    assert "holding ValueError" in text and "holding LookupError" in text


def test_errors_that_cause_one_another_in_a_circle_end() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert list(told(first)) == ["ValueError", "because of ValueError"]


def test_a_huge_group_is_cut() -> None:
    lines = list(told(ExceptionGroup("many", [ValueError(str(n)) for n in range(100)])))
    assert len(lines) == ERRORS_SHOWN + 1
    assert lines[-1] == "... and more errors"


@pytest.mark.parametrize(
    ("level", "prefix"),
    [
        (logging.CRITICAL, "<2>"),
        (logging.ERROR, "<3>"),
        (logging.WARNING, "<4>"),
        (logging.INFO, "<6>"),
        (logging.DEBUG, "<7>"),
        (25, "<6>"),
    ],
)
def test_the_journal_gets_a_priority_and_no_time(level: int, prefix: str) -> None:
    made = record("it is up")
    made.levelno = level
    assert JournalFormatter().format(made) == f"{prefix}roost.test: it is up"


def test_every_line_of_a_traceback_has_its_priority_in_the_journal() -> None:
    text = JournalFormatter().format(record("it failed", error=raised(ValueError(SECRET))))
    assert len(text.splitlines()) >= 3
    assert all(line.startswith("<4>") for line in text.splitlines())
