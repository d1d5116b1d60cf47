"""Logs: pages of what is kept, and the live end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.contract.waiting import bundle_in, reading
from tests.contract.world import ContractWorld

from roost.errors import LogNotFound
from roost.models import LogPage, LogStream, SlotState


async def _with_lines(world: ContractWorld, *lines: str) -> None:
    await world.engine.install("w", world.request("app"))
    await bundle_in(world.engine, "app", SlotState.RUNNING)
    for line in lines:
        await world.write_log("app", line)
    if lines:
        async with reading(world.engine.follow_log("w", "app")) as pages:
            await _until_line(pages, lines[-1])


async def _until_line(pages: AsyncIterator[LogPage], text: str) -> None:
    async for page in pages:
        if text in [line.text for line in page.lines]:
            return
    raise AssertionError(f"{text} never came")


async def test_the_last_lines_come_in_order_with_their_stream(world: ContractWorld) -> None:
    await _with_lines(world, "one", "two", "three")
    page = await world.engine.log_page("w", "app", limit=2)
    assert [line.text for line in page.lines] == ["two", "three"]
    assert page.generation == 1
    assert page.end_offset == page.size_bytes == page.lines[-1].offset
    assert {line.generation for line in page.lines} == {1}
    assert page.lines[0].stream in (LogStream.STDOUT, LogStream.STDERR)


async def test_pages_backwards_and_forwards_meet_without_gap_or_repeat(
    world: ContractWorld,
) -> None:
    await _with_lines(world, "one", "two", "three", "four")
    engine = world.engine
    newest = await engine.log_page("w", "app", limit=2)
    older = await engine.log_page("w", "app", before=newest.start_offset, limit=1)
    assert [line.text for line in older.lines] == ["two"]
    onwards = await engine.log_page("w", "app", after=older.end_offset, limit=100)
    assert [line.text for line in onwards.lines] == ["three", "four"]
    end = await engine.log_page("w", "app", after=newest.end_offset)
    assert end.lines == ()
    assert end.end_offset == newest.end_offset


async def test_the_log_of_the_generation_before_is_kept(world: ContractWorld) -> None:
    await _with_lines(world, "from the first")
    await world.engine.respawn("w", "app")
    await world.write_log("app", "from the second")
    before = await world.engine.log_page("w", "app", generation=-1)
    assert before.generation == 1
    assert "from the first" in [line.text for line in before.lines]
    by_number = await world.engine.log_page("w", "app", generation=1)
    assert by_number.lines == before.lines


async def test_a_log_that_is_not_kept_says_so(world: ContractWorld) -> None:
    await _with_lines(world)
    with pytest.raises(LogNotFound):
        await world.engine.log_page("w", "app", generation=99)


async def test_following_begins_with_the_tail_and_crosses_generations(
    world: ContractWorld,
) -> None:
    await _with_lines(world, "one", "two")
    async with reading(world.engine.follow_log("w", "app", tail=1)) as pages:
        assert [line.text for line in (await anext(pages)).lines] == ["two"]
        await world.write_log("app", "three")
        await _until_line(pages, "three")
        await world.engine.respawn("w", "app")
        await world.write_log("app", "four")
        await _until_line(pages, "four")


async def test_following_ends_when_the_daemon_closes(world: ContractWorld) -> None:
    await _with_lines(world, "one")
    async with reading(world.engine.follow_log("w", "app")) as pages:
        await anext(pages)
        await world.close()
        async for _ in pages:
            pass
