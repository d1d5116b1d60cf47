"""Reading on in a log where reading stopped."""

from __future__ import annotations

import itertools

import pytest
from tests.contract.waiting import reading
from tests.support.fake_engine import FakeEngine, bundle_view

from roost.models import LogLine
from roost_tui import log_resume
from roost_tui.log_resume import LogPlace, lines_since

BUNDLE = bundle_view("api")
GENERATIONS = (3, 4, 6)
LINES = 5


def _fake() -> FakeEngine:
    fake = FakeEngine()
    fake.add_bundle(BUNDLE)
    for generation, number in itertools.product(GENERATIONS, range(LINES)):
        fake.append_log("default", "api", f"{generation}.{number}", generation=generation)
    return fake


def _written(fake: FakeEngine) -> list[LogLine]:
    logs = fake.world.bundles["default", "api"].logs
    return [line for generation in sorted(logs) for line in logs[generation]]


async def _read_on(fake: FakeEngine, place: LogPlace, tail: int) -> list[LogLine] | None:
    async with reading(fake.follow_log("default", "api", tail=tail)) as pages:
        return await lines_since(fake, BUNDLE, place, await anext(pages))


@pytest.mark.parametrize("page_lines", [2, 2000])
async def test_wherever_reading_stopped_each_later_line_comes_exactly_once(
    monkeypatch: pytest.MonkeyPatch, page_lines: int
) -> None:
    monkeypatch.setattr(log_resume, "PAGE_LINES", page_lines)
    fake = _fake()
    written = _written(fake)
    for index, line in enumerate(written):
        for tail in range(1, LINES + 1):
            read = await _read_on(fake, (line.generation, line.offset), tail)
            assert read == written[index + 1 :], (line, tail)


async def test_a_log_that_is_shorter_than_what_was_read_is_another_one() -> None:
    fake = _fake()
    end = _written(fake)[-1]
    assert await _read_on(fake, (end.generation, end.offset + 1), 3) is None
    assert await _read_on(fake, (end.generation + 1, 0), 3) is None


async def test_a_generation_that_is_no_longer_kept_is_passed_over() -> None:
    fake = _fake()
    del fake.world.bundles["default", "api"].logs[3]
    read = await _read_on(fake, (3, 4), 3)
    assert read is not None
    assert [line.text for line in read] == [f"{g}.{n}" for g in (4, 6) for n in range(LINES)]


async def test_too_much_to_show_is_not_caught_up_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_resume, "WINDOW", 4)
    assert await _read_on(_fake(), (3, 4), 1) is None


async def test_more_generations_than_are_kept_are_not_asked_for_one_by_one() -> None:
    fake = _fake()
    fake.append_log("default", "api", "much later", generation=6 + log_resume.GENERATIONS + 1)
    assert await _read_on(fake, (6, 4), 1) is None
    assert not fake.called("log_page")
