"""``roost logs``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.command_line import roost
from tests.support.fake_engine import sample_engine
from tests.support.served_engine import ServedEngine, served

from roost.cli import logs
from roost.models import LogPage
from roost.models.codec import from_json


@pytest.fixture
def engine() -> Iterator[ServedEngine]:
    with served(sample_engine()) as engine:
        yield engine


def test_lines_have_their_time_and_stream_unless_bare(engine: ServedEngine) -> None:
    lines = roost(engine.data_dir, "logs", "git").out.splitlines()
    assert [line.split()[1] for line in lines] == ["roost", "err", "roost"]
    bare = roost(engine.data_dir, "logs", "git", "--bare", "-n", "1").out
    assert bare == "generation 5 ended: exit 1\n"


def test_many_lines_are_fetched_page_by_page_without_gap_or_repeat(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "PAGE_LIMIT", 7)
    lines = roost(engine.data_dir, "logs", "filesystem", "--bare", "-n", "30").out.splitlines()
    assert lines == [f"request {number} took {number * 3} ms" for number in range(11, 41)]
    assert len(engine.fake.called("log_page")) == 5
    everything = roost(engine.data_dir, "logs", "filesystem", "--bare").out.splitlines()
    assert len(everything) == 41


def test_json_is_one_page_with_all_the_lines(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "PAGE_LIMIT", 7)
    done = roost(engine.data_dir, "logs", "filesystem", "-n", "20", "--json")
    page = from_json(done.out, LogPage)
    assert len(page.lines) == 20
    whole = engine.fake.called("log_page")
    assert whole[0]["before"] is None
    assert page.start_offset < page.end_offset == page.size_bytes


def test_the_previous_generation_and_any_other_can_be_read(engine: ServedEngine) -> None:
    assert "served over stdio" in roost(engine.data_dir, "logs", "filesystem", "-p").out
    assert "served" in roost(engine.data_dir, "logs", "filesystem", "--generation", "3").out


def test_a_log_that_is_not_kept_is_not_found(engine: ServedEngine) -> None:
    assert roost(engine.data_dir, "logs", "filesystem", "--generation", "99").code == 3


@pytest.mark.parametrize("other", [["-p"], ["--generation", "3"]])
def test_only_the_running_log_is_followed(engine: ServedEngine, other: list[str]) -> None:
    assert roost(engine.data_dir, "logs", "git", "-f", *other).code == 2


def test_a_followed_log_goes_on_until_the_daemon_closes(engine: ServedEngine) -> None:
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(roost, engine.data_dir, "logs", "git", "-f", "-n", "1", "--json")
        engine.wait_for_call("follow_log")
        engine.do(lambda fake: fake.append_log("acme", "git", "one more"))
        engine.do(lambda fake: fake.close())
        done = following.result(10)
    pages = [json.loads(line) for line in done.out.splitlines()]
    texts = [line["text"] for page in pages for line in page["lines"]]
    assert texts == ["generation 5 ended: exit 1", "one more"]
    assert done.code == 0


def test_lines_that_retention_removed_are_counted(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = {"lines": [], "dropped": 3, "start_offset": 0, "generation": 1}
    monkeypatch.setattr(logs, "_page", lambda *_: page)
    assert "3 lines dropped" in roost(engine.data_dir, "logs", "git").err
