"""Commands and the runs they are."""

from __future__ import annotations

import pytest
from tests.contract.waiting import in_status, settled
from tests.contract.world import ContractWorld

from roost.errors import (
    AlreadyActive,
    BadInput,
    CommandNotFound,
    IdempotencyConflict,
    WorkspaceNotFound,
)
from roost.models import ExecRequest, RunKind, RunQuery, RunStatus

LONG = ("sleep", "1000")


async def test_a_command_is_a_run_with_its_command_as_input(world: ContractWorld) -> None:
    begun = await world.engine.exec_command("w", ExecRequest(LONG, title="a nap", scope="job"))
    assert (begun.workspace, begun.kind, begun.title) == ("w", RunKind.COMMAND, "a nap")
    assert (begun.scope, begun.bundle, begun.tool) == ("job", None, None)
    await in_status(world.engine, begun.id, RunStatus.RUNNING)
    detail = await world.engine.run("w", begun.id)
    assert detail.input["command"] == list(LONG)
    assert detail.run.created_by
    listed = await world.engine.runs(RunQuery(workspace="w", kinds=(RunKind.COMMAND,)))
    assert [run.id for run in listed] == [begun.id]


async def test_a_stop_aborts_a_command(world: ContractWorld) -> None:
    begun = await world.engine.exec_command("w", ExecRequest(LONG))
    await in_status(world.engine, begun.id, RunStatus.RUNNING)
    outcome = await world.engine.stop_run("w", begun.id)
    assert outcome.stopped
    run = (await settled(world.engine, begun.id)).run
    assert (run.status, run.error and run.error.code) == (RunStatus.ABORTED, "stopped")
    assert run.stop_requested_at is not None


async def test_a_scope_is_taken_until_its_command_has_settled(world: ContractWorld) -> None:
    begun = await world.engine.exec_command("w", ExecRequest(LONG, scope="job"))
    with pytest.raises(AlreadyActive) as caught:
        await world.engine.exec_command("w", ExecRequest(LONG, scope="job"))
    assert caught.value.details["run"] == begun.id
    await world.engine.stop_run("w", begun.id)
    await settled(world.engine, begun.id)
    await world.engine.exec_command("w", ExecRequest(LONG, scope="job"))


async def test_a_key_begins_one_command_and_no_other(world: ContractWorld) -> None:
    begun = await world.engine.exec_command("w", ExecRequest(LONG, idempotency_key="k"))
    again = await world.engine.exec_command("w", ExecRequest(LONG, idempotency_key="k"))
    assert again.id == begun.id
    with pytest.raises(IdempotencyConflict):
        await world.engine.exec_command("w", ExecRequest(("sleep", "1"), idempotency_key="k"))


async def test_what_cannot_be_begun_leaves_no_run(world: ContractWorld) -> None:
    with pytest.raises(CommandNotFound):
        await world.engine.exec_command("w", ExecRequest(("no-such-program",)))
    with pytest.raises(BadInput):
        await world.engine.exec_command("w", ExecRequest(()))
    with pytest.raises(WorkspaceNotFound):
        await world.engine.exec_command("elsewhere", ExecRequest(LONG))
    assert await world.engine.runs(RunQuery()) == ()
