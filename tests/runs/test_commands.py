"""Commands as runs, over a real store and with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.ledger import SECRET, Ledger
from tests.support.processes import Bench, is_alive, open_bench, program, until

from roost.clock import SystemClock
from roost.drivers.base import StopReport
from roost.drivers.process import LocalProcess
from roost.errors import (
    AlreadyActive,
    BadInput,
    CommandNotFound,
    IdempotencyConflict,
    Refused,
    RunNotFound,
    ShuttingDown,
)
from roost.models import (
    ExecRequest,
    RunDetail,
    RunEvent,
    RunEventKind,
    RunKind,
    RunStatus,
    RunView,
    StopPhase,
)
from roost.runs import Commands, Ending, commands, live_command
from roost.vault import Scrubber

pytestmark = pytest.mark.real

DEAF_TREE = "trap '' TERM; (setsid sleep 1000 &); (trap '' TERM; setsid sh -c 'sleep 1000' &); "
"""A shell that ignores TERM, with children in sessions of their own."""


class Workshop:
    """Commands over a ledger, with a driver of their own."""

    def __init__(self, ledger: Ledger, bench: Bench, directory: Path) -> None:
        self.ledger = ledger
        self.recorder = ledger.recorder
        self.bench = bench
        self.state_dir = directory / "state"
        self.commands = Commands(
            ledger.recorder,
            bench.driver,
            clock=SystemClock(),
            scrubber=Scrubber,
            base_env={"PATH": os.environ["PATH"], "HOME": "/"},
            state_dir=self.state_dir,
            data_id=bench.data_id,
        )

    async def begin(self, *command: str, **changes: Any) -> RunView:
        return await self.commands.begin("main", ExecRequest(command, **changes), actor="ann")

    async def shell(self, script: str, **changes: Any) -> RunView:
        return await self.begin("/bin/sh", "-c", script, **changes)

    async def settled(self, run_id: str) -> RunDetail:
        async with asyncio.timeout(30):
            await self.recorder.wait_settled("main", run_id)
        return await self.recorder.detail("main", run_id)

    async def output(self, run_id: str, stream: float | None = None) -> list[str]:
        """Return the lines of one stream, as they are stored."""
        found = [event async for event in self.recorder.events("main", run_id)]
        assert [event.seq for event in found] == list(range(1, len(found) + 1))
        return lines_of(found, stream)

    async def said(self, run_id: str, text: str) -> None:
        """Wait until a command has said something."""
        async with asyncio.timeout(30):
            async for event in self.recorder.events("main", run_id):
                if event.kind is RunEventKind.OUTPUT and text in event.message:
                    return
        raise AssertionError(f"{text!r} was never said")


def lines_of(events: list[RunEvent], stream: float | None) -> list[str]:
    return [
        line
        for event in events
        if event.kind is RunEventKind.OUTPUT and event.current == stream
        for line in event.message.split("\n")
    ]


def text_of(detail: RunDetail) -> str:
    return f"{detail!r} {[event.message for event in detail.events]}"


@pytest.fixture
async def shop(ledger: Ledger, tmp_path: Path) -> AsyncIterator[Workshop]:
    async with open_bench() as bench:
        shop = Workshop(ledger, bench, tmp_path)
        yield shop
        await shop.commands.close(5)
        assert bench.left() == ()


# Ends ----------------------------------------------------------------------------------------


async def test_a_command_is_a_run_whose_output_and_exit_code_are_kept(shop: Workshop) -> None:
    run = await shop.shell("echo one; echo two >&2; pwd", title="two words")
    assert (run.kind, run.status, run.title) == (RunKind.COMMAND, RunStatus.PENDING, "two words")
    detail = await shop.settled(run.id)
    own = shop.state_dir / "main" / ".commands"
    assert detail.run.status is RunStatus.SUCCEEDED
    assert await shop.output(run.id) == ["one", str(own)]
    assert await shop.output(run.id, 2) == ["two"]
    assert own.stat().st_mode & 0o777 == 0o700
    assert {**detail.result, "duration_ms": 0} == {
        "exit_code": 0,
        "signal": None,
        "duration_ms": 0,
        "dropped_lines": 0,
    }
    assert detail.input["command"] == ["/bin/sh", "-c", "echo one; echo two >&2; pwd"]


async def test_a_command_that_fails_says_so_with_its_last_words(shop: Workshop) -> None:
    run = await shop.shell("echo working; echo 'no such target' >&2; exit 3")
    detail = await shop.settled(run.id)
    assert (detail.run.status, detail.run.error and detail.run.error.code) == (
        RunStatus.FAILED,
        "exit",
    )
    assert detail.run.error is not None
    assert detail.run.error.sentence == "'sh' ended with exit 3: no such target"
    assert detail.result["exit_code"] == 3


async def test_a_command_that_dies_of_a_signal_keeps_the_signal(shop: Workshop) -> None:
    detail = await shop.settled((await shop.shell("kill -SEGV $$")).id)
    assert (detail.result["exit_code"], detail.result["signal"]) == (None, signal.SIGSEGV)
    assert detail.run.error is not None
    assert detail.run.error.sentence == "'sh' was ended by SIGSEGV and said nothing"


async def test_children_that_outlive_their_command_are_ended_with_it(shop: Workshop) -> None:
    run = await shop.begin(*program("double_fork", "end", "setsid"), stop_grace_s=0.5)
    detail = await shop.settled(run.id)
    assert detail.run.status is RunStatus.SUCCEEDED
    [line] = await shop.output(run.id)
    assert not is_alive(int(line.split()[1]))
    assert shop.bench.left() == ()


async def test_a_child_that_holds_the_output_does_not_hold_the_run(shop: Workshop) -> None:
    run = await shop.shell("sleep 1000 & echo done", stop_grace_s=0.5)
    assert (await shop.settled(run.id)).run.status is RunStatus.SUCCEEDED
    assert await shop.output(run.id) == ["done"]


async def test_a_time_limit_ends_the_whole_tree_and_the_run_fails(shop: Workshop) -> None:
    run = await shop.shell(DEAF_TREE + "sleep 1000", time_limit_s=0.5, stop_grace_s=0.2)
    detail = await shop.settled(run.id)
    assert detail.run.status is RunStatus.FAILED
    assert detail.run.error is not None
    assert detail.run.error.code == "timed_out"
    assert shop.bench.left() == ()


# Output --------------------------------------------------------------------------------------


async def test_fifty_thousand_lines_are_kept_in_order(shop: Workshop) -> None:
    script = "for n in range(50_000): print('line', n)"
    run = await shop.begin(sys.executable, "-S", "-c", script)
    detail = await shop.settled(run.id)
    assert detail.result["dropped_lines"] == 0
    assert await shop.output(run.id) == [f"line {number}" for number in range(50_000)]


async def test_a_secret_of_the_environment_is_in_nothing_that_is_kept(shop: Workshop) -> None:
    script = f'echo "$TOKEN"; printf "{SECRET[:5]}"; sleep 0.3; echo {SECRET[5:]}; exit 1'
    run = await shop.shell(script, env={"TOKEN": SECRET})
    detail = await shop.settled(run.id)
    assert await shop.output(run.id) == ["[secret]", "[secret]"]
    assert SECRET not in text_of(detail)
    assert detail.input["env"] == ["TOKEN"]


async def test_a_question_without_a_line_end_is_shown_while_the_command_waits(
    shop: Workshop,
) -> None:
    run = await shop.shell("printf 'name? '; sleep 1000")
    await shop.said(run.id, "name?")
    assert (await shop.recorder.get("main", run.id)).status is RunStatus.RUNNING
    await shop.commands.stop("main", run.id, by="ann")
    await shop.settled(run.id)


async def test_a_store_that_takes_no_output_loses_lines_and_says_how_many(shop: Workshop) -> None:
    run = await shop.shell("sleep 0.2; printf 'lost\\nalso\\n'; sleep 0.2; echo kept")
    await until(lambda: shop.recorder.view()[0].status is RunStatus.RUNNING)
    shop.ledger.rows.failures["append_outputs"] = 1
    detail = await shop.settled(run.id)
    assert detail.result["dropped_lines"] == 2
    assert await shop.output(run.id) == ["kept"]
    assert await shop.output(run.id, 0) == ["2 lines of output were not stored"]


async def test_a_command_sees_the_allow_list_its_variables_and_no_input(shop: Workshop) -> None:
    os.environ["NOT_FOR_CHILDREN"] = "x"
    try:
        run = await shop.shell("env; cat", env={"WORD": "hello there"})
        lines = await shop.output((await shop.settled(run.id)).run.id)
    finally:
        del os.environ["NOT_FOR_CHILDREN"]
    names = {line.partition("=")[0] for line in lines}
    assert {"PATH", "HOME", "WORD", "ROOST_WORKSPACE"} <= names
    assert "NOT_FOR_CHILDREN" not in names


# Stops ---------------------------------------------------------------------------------------


async def test_a_stop_of_a_deaf_tree_walks_the_ladder_in_sight_until_nothing_is_left(
    shop: Workshop,
) -> None:
    run = await shop.shell(DEAF_TREE + "echo ready; sleep 1000; sleep 1000", stop_grace_s=0.5)
    await shop.said(run.id, "ready")
    assert len(shop.bench.left()) >= 3
    assert await shop.commands.stop("main", run.id, by="ann")
    detail = await shop.settled(run.id)
    assert (detail.run.status, detail.run.stop_requested_by) == (RunStatus.ABORTED, "ann")
    assert detail.run.error is not None
    assert detail.run.error.sentence == "stopped by ann"
    phases = [view.stop_phase for view in shop.ledger.published if view.id == run.id]
    seen = list(dict.fromkeys(phase for phase in phases if phase))
    assert seen == [StopPhase.TERMINATING, StopPhase.KILLING]
    killing = next(view for view in shop.ledger.published if view.stop_phase is StopPhase.KILLING)
    assert killing.status is RunStatus.RUNNING
    assert shop.bench.left() == ()


async def test_a_command_that_heeds_term_is_not_killed(shop: Workshop) -> None:
    run = await shop.shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
    await shop.said(run.id, "ready")
    await shop.commands.stop("main", run.id, by="ann")
    detail = await shop.settled(run.id)
    assert detail.run.status is RunStatus.ABORTED
    assert detail.run.stop_phase is StopPhase.TERMINATING
    assert detail.result["exit_code"] == 0
    assert "bye" in await shop.output(run.id)


async def test_a_stop_of_what_is_no_command_under_way_is_left_to_others(shop: Workshop) -> None:
    run = await shop.begin("true")
    assert not await shop.commands.stop("other", run.id, by="ann")
    await shop.settled(run.id)
    assert not await shop.commands.stop("main", run.id, by="ann")


async def test_a_store_that_is_down_keeps_no_stopped_command_alive(shop: Workshop) -> None:
    run = await shop.shell("echo ready; sleep 1000")
    await shop.said(run.id, "ready")
    shop.ledger.rows.break_down()
    assert await shop.commands.stop("main", run.id, by="ann")
    await until(lambda: shop.bench.left() == ())
    shop.ledger.rows.recover()
    async with asyncio.timeout(30):
        await shop.commands.close(5)
    await shop.recorder.sweep()
    assert (await shop.settled(run.id)).run.status is RunStatus.ABORTED


async def test_a_close_ends_every_command_even_one_that_is_in_no_hurry(shop: Workshop) -> None:
    deaf = await shop.shell(DEAF_TREE + "echo ready; sleep 1000", stop_grace_s=600)
    ended = await shop.shell("(trap '' TERM; sleep 1000) & sleep 0.2", stop_grace_s=600)
    await shop.said(deaf.id, "ready")
    await until(lambda: len(shop.bench.left()) >= 4)
    await shop.commands.stop("main", deaf.id, by="ann")
    async with asyncio.timeout(30):
        await shop.commands.close(3)
    assert shop.bench.left() == ()
    assert (await shop.settled(deaf.id)).run.error is not None
    assert not (await shop.settled(ended.id)).run.status.is_active
    with pytest.raises(ShuttingDown):
        await shop.begin("true")


async def test_a_daemon_that_quits_aborts_its_commands_with_that_reason(shop: Workshop) -> None:
    run = await shop.shell("echo ready; sleep 1000")
    await shop.said(run.id, "ready")
    await shop.commands.close(5)
    detail = await shop.settled(run.id)
    assert detail.run.status is RunStatus.ABORTED
    assert detail.run.error is not None
    assert detail.run.error.code == "daemon_stopped"


async def test_a_run_that_was_settled_before_its_work_starts_nothing(shop: Workshop) -> None:
    gate = shop.ledger.rows.gates["mark_started"] = asyncio.Event()
    run = await shop.shell("echo x")
    await shop.ledger.rows.called("mark_started")
    settling = asyncio.create_task(
        shop.recorder.finalize("main", run.id, Ending.aborted("stopped", "stopped"))
    )
    gate.set()
    await settling
    assert (await shop.settled(run.id)).run.status is RunStatus.ABORTED


async def test_a_stop_before_the_process_starts_starts_none(shop: Workshop) -> None:
    gate = shop.ledger.rows.gates["mark_started"] = asyncio.Event()
    run = await shop.shell("echo x")
    await shop.ledger.rows.called("mark_started")
    stopping = asyncio.create_task(shop.commands.stop("main", run.id, by="ann"))
    await asyncio.sleep(0)
    gate.set()
    assert await stopping
    detail = await shop.settled(run.id)
    assert detail.run.status is RunStatus.ABORTED
    assert await shop.output(run.id) == []


async def test_a_daemon_that_fails_at_a_command_leaves_nothing_of_it_running(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(process: LocalProcess) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(shop.bench.driver, "connect", broken)
    run = await shop.begin("sleep", "1000")
    detail = await shop.settled(run.id)
    assert detail.run.error is not None
    assert detail.run.error.code == "internal"
    assert shop.bench.left() == ()


async def test_processes_that_outlive_kill_are_named_and_their_run_is_no_success(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = LocalProcess.stop

    async def with_survivor(
        process: LocalProcess, grace_s: float, *, eof_first: bool
    ) -> StopReport:
        return replace(await stop(process, grace_s, eof_first=eof_first), survivors=(4711,))

    monkeypatch.setattr(LocalProcess, "stop", with_survivor)
    detail = await shop.settled((await shop.begin("true")).id)
    assert detail.run.status is RunStatus.FAILED
    assert detail.run.error is not None
    assert detail.run.error.code == "left_over"
    assert "4711" in detail.run.error.sentence
    assert detail.result["survivors"] == [4711]


# Viewers -------------------------------------------------------------------------------------


async def test_a_command_ends_once_its_last_viewer_has_left(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_command, "RECONNECT_S", 0.2)
    run = await shop.shell("echo ready; sleep 1000", stop_when_unwatched=True)
    await shop.said(run.id, "ready")
    detail = await shop.settled(run.id)
    assert detail.run.status is RunStatus.ABORTED
    assert detail.run.error is not None
    assert "last viewer has left" in detail.run.error.sentence


async def test_a_viewer_that_comes_back_in_time_keeps_the_command(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_command, "RECONNECT_S", 0.3)
    run = await shop.shell("echo ready; sleep 1; echo end", stop_when_unwatched=True)
    await shop.said(run.id, "ready")
    assert await shop.output(run.id) == ["ready", "end"]
    assert (await shop.settled(run.id)).run.status is RunStatus.SUCCEEDED


async def test_a_command_that_nobody_ever_watched_goes_on(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_command, "RECONNECT_S", 0.05)
    run = await shop.shell("sleep 0.5", stop_when_unwatched=True)
    assert (await shop.settled(run.id)).run.status is RunStatus.SUCCEEDED


# Beginnings ----------------------------------------------------------------------------------


async def test_what_cannot_be_begun_leaves_no_run(shop: Workshop, tmp_path: Path) -> None:
    refused: list[tuple[type[Exception], tuple[str, ...], dict[str, Any]]] = [
        (CommandNotFound, ("no-such-program",), {}),
        (CommandNotFound, ("./here",), {"directory": str(tmp_path)}),
        (BadInput, (), {}),
        (BadInput, ("true", "a\0b"), {}),
        (BadInput, ("true",), {"directory": "relative"}),
        (BadInput, ("true",), {"directory": str(tmp_path / "absent")}),
        (BadInput, ("true",), {"env": {"ROOST_MARK": "x"}}),
        (BadInput, ("true",), {"env": {"A=B": "x"}}),
        (BadInput, ("echo", f"--token={SECRET}"), {"env": {"TOKEN": SECRET}}),
        (BadInput, ("true",), {"env": {"TOKEN": SECRET}, "title": f"with {SECRET}"}),
        (BadInput, ("true",), {"title": "a\nb"}),
        (BadInput, ("true",), {"scope": ""}),
        (BadInput, ("true",), {"time_limit_s": 0}),
        (BadInput, ("true",), {"stop_grace_s": float("nan")}),
    ]
    for kind, command, changes in refused:
        with pytest.raises(kind) as caught:
            await shop.begin(*command, **changes)
        assert SECRET not in str(caught.value)
    assert shop.recorder.view() == ()


async def test_a_program_is_found_on_the_path_that_the_command_is_given(
    shop: Workshop, tmp_path: Path
) -> None:
    tool = tmp_path / "own-tool"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o700)
    run = await shop.begin("own-tool", env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    await shop.settled(run.id)
    assert await shop.output(run.id) == ["found"]


async def test_a_scope_and_a_key_hold_as_for_every_run(shop: Workshop) -> None:
    first = await shop.shell("echo ready; sleep 1000", scope="job", idempotency_key="k")
    with pytest.raises(AlreadyActive):
        await shop.begin("true", scope="job")
    again = await shop.shell("echo ready; sleep 1000", scope="job", idempotency_key="k")
    assert again.id == first.id
    with pytest.raises(IdempotencyConflict):
        await shop.begin("true", idempotency_key="k")
    await shop.commands.stop("main", first.id, by="ann")
    await shop.settled(first.id)


async def test_a_workspace_runs_a_bounded_number_of_commands_at_once(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "AT_ONCE", 2)
    first = await shop.shell("sleep 1000")
    await shop.shell("sleep 1000")
    with pytest.raises(Refused, match="2 commands of workspace 'main' run already"):
        await shop.shell("sleep 1000")
    await shop.commands.stop("main", first.id, by="ann")
    await shop.settled(first.id)
    await shop.shell("sleep 1000")


async def test_a_parent_that_does_not_exist_is_refused(shop: Workshop) -> None:
    with pytest.raises((BadInput, RunNotFound)):
        await shop.begin("true", parent="run-that-never-was")
