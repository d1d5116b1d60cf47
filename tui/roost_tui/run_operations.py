"""What actions do to runs: stop one or many, begin again, make room in a scope, run a command."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from roost.contract import EngineAPI
from roost.errors import RoostError, RunNotFound, Unavailable
from roost.models import ExecRequest, RunView, StopOutcome, SupersedeState
from roost_tui import render
from roost_tui.notes import RowKey, Severity
from roost_tui.run_words import listed
from roost_tui.selection import Selection

if TYPE_CHECKING:
    from roost_tui.operations import Desk

_REPLACED = {
    SupersedeState.READY: ("freed", True),
    SupersedeState.IDLE: ("free", True),
    SupersedeState.OTHER_ACTIVE: ("other active", False),
    SupersedeState.NOT_SETTLING: ("still active", False),
}
"""What stands on the row, and whether the scope is free."""


class RunOperations:
    """Asks where the rules say so, calls the engine and reports how it went."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def perform(self, action_id: str, selection: Selection, workspace: str) -> None:
        """Do an action to the selected run, or to all marked ones.

        Args:
            action_id: one of the actions on runs.
            selection: what it is done to.
            workspace: where a command is run.
        """
        run = selection.run
        if action_id == "run.exec":
            await self._exec(workspace)
        elif action_id == "run.stop" and selection.marked:
            await self._stop(selection.marked)
        elif run is None:
            return
        elif action_id == "run.stop":
            await self._stop((run,))
        elif action_id == "run.retry":
            await self._retry(run)
        elif action_id == "run.resume":
            await self._resume(run)
        elif action_id == "run.replace":
            await self._replace(run)

    @property
    def _engine(self) -> EngineAPI:
        engine = self._desk.engine
        if engine is None:
            raise Unavailable("nothing was done: the daemon is not connected; try again when it is")
        return engine

    # Stop

    async def _stop(self, chosen: Sequence[RunView]) -> None:
        runs = [run for run in map(self._newest, chosen) if run.status.is_active]
        if not runs:
            return self._desk.say(Severity.INFORMATION, _all_settled(chosen))
        for run in runs:
            self._desk.begin(_key(run), "stop")
        if not await self._may_stop(runs, settled=len(chosen) - len(runs)):
            for run in runs:
                self._desk.forget(_key(run))
            return
        self._desk.unmark()
        outcomes = await asyncio.gather(*(self._stop_one(run) for run in runs))
        await self._offer_respawns([outcome for outcome in outcomes if outcome is not None])

    def _newest(self, run: RunView) -> RunView:
        return self._desk.screen_state.runs.get(run.id, run)

    async def _may_stop(self, runs: Sequence[RunView], *, settled: int) -> bool:
        from roost_tui.modals import ConfirmModal  # loaded after the first paint

        if len(runs) == 1 and not settled:
            title, question, cut = (
                f"Stop {runs[0].id}",
                "Stop this run?",
                f"It cuts {_what(runs[0])}.",
            )
        else:
            title, question = f"Stop {len(runs)} runs", f"Stop these {len(runs)} runs?"
            cut = f"It cuts {listed([run.id for run in runs], most=8)}."
            if settled:
                cut += f" {render.plural(settled, 'other')} settled already."
        modal = ConfirmModal(title, question, cut, yes_label="Stop")
        answer: bool | None = await self._desk.ask(modal)
        return bool(answer)

    async def _stop_one(self, run: RunView) -> StopOutcome | None:
        """Stop a run and say how that went; what fails for one leaves the others alone."""
        key = _key(run)
        try:
            outcome = await self._engine.stop_run(*key)
        except RoostError as error:
            self._desk.end(key, "stop failed", ok=False)
            self._desk.say(Severity.ERROR, f"{run.id}: {error.message}")
            return None
        goes_on = outcome.run.status.is_active
        words = "stop ignored" if goes_on else "stopped" if outcome.stopped else "not stopped"
        self._desk.end(key, words, ok=not goes_on)
        self._desk.say(Severity.WARNING if goes_on else Severity.INFORMATION, outcome.sentence)
        return outcome

    async def _offer_respawns(self, outcomes: Sequence[StopOutcome]) -> None:
        """Offer to respawn each bundle that goes on with work it was asked to stop, once."""
        going_on: dict[RowKey, list[StopOutcome]] = {}
        for outcome in outcomes:
            if outcome.respawn is not None and outcome.run.status.is_active:
                going_on.setdefault((outcome.run.workspace, outcome.respawn), []).append(outcome)
        for key, of_bundle in going_on.items():
            await self._offer_respawn(key, of_bundle)

    async def _offer_respawn(self, key: RowKey, outcomes: Sequence[StopOutcome]) -> None:
        from roost_tui.modals import ConfirmModal, ReasonModal, TypeNameModal  # loaded late

        name = key[1]
        runs = [outcome.run.id for outcome in outcomes]
        others = sorted({cut for outcome in outcomes for cut in outcome.would_cut} - set(runs))
        title = f"Respawn {key[0]}/{name}"
        question = f"{name} goes on with {listed(runs)}. Only a respawn ends that work."
        cut = f"It also cuts {listed(others, most=8)}." if others else "It cuts no other run."
        bundle = self._desk.screen_state.bundles.get(key)
        reason: str | None = None
        if bundle is not None and bundle.protected:
            if not await self._desk.ask(TypeNameModal(title, f"{question} {cut}", name)):
                return
            why = f"{name} is protected. Why is this done? It goes into the audit log."
            if (reason := await self._desk.ask(ReasonModal(title, why))) is None:
                return
        elif not await self._desk.ask(
            ConfirmModal(title, question, cut, yes_label=f"Respawn {name}")
        ):
            return
        self._desk.begin(key, "respawn")
        result = await self._engine.respawn(*key, reason=reason)
        self._desk.end(key, "respawned" if result.ok else "respawn failed", ok=result.ok)
        self._desk.say(Severity.INFORMATION if result.ok else Severity.ERROR, result.sentence)

    # Begin

    async def _retry(self, run: RunView) -> None:
        key = _key(run)
        self._desk.begin(key, "retry")
        again = await self._engine.retry_run(*key)
        self._desk.end(key, f"retried as {again.id}", ok=True)
        self._desk.say(Severity.INFORMATION, f"{run.id} was begun again as {again.id}")
        self._desk.show_begun(again)

    async def _resume(self, run: RunView) -> None:
        key = _key(run)
        self._desk.begin(key, "resume")
        try:
            await self._engine.resume_run(*key)
        except RunNotFound:
            # The daemon does not tell a stranger more of somebody's run than that.
            self._desk.end(key, "not resumed", ok=False)
            text = f"{run.id} waits for {run.on_behalf_of}: nobody else can resume it"
            return self._desk.say(Severity.WARNING, text)
        self._desk.end(key, "resumed", ok=True)
        self._desk.say(Severity.INFORMATION, f"{run.id} goes on")

    async def _exec(self, workspace: str) -> None:
        from roost_tui.modals.command_line import CommandModal, ReviewModal  # loaded late

        command = await self._desk.ask(CommandModal(workspace))
        if not command or not await self._desk.ask(ReviewModal(workspace, command)):
            return
        run = await self._engine.exec_command(workspace, ExecRequest(command))
        self._desk.say(Severity.INFORMATION, f"{run.title} was begun as {run.id}")
        self._desk.open_run_page(run)

    # Replace

    async def _replace(self, run: RunView) -> None:
        """Free the scope of a run; only what the operator was shown as active is stopped."""
        from roost_tui.modals import ConfirmModal  # loaded after the first paint

        key, scope = _key(run), run.scope
        if scope is None:
            return self._desk.say(Severity.INFORMATION, f"{run.id} has no scope to make room in")
        active = self._active_in(run.workspace, scope)
        self._desk.begin(key, "replace")
        if active is not None:
            cut = f"It cuts {active.id}, {_what(active)}."
            question = "Stop its active run and wait until the scope is free?"
            modal = ConfirmModal(f"Make room in {scope}", question, cut, yes_label="Stop")
            if not await self._desk.ask(modal):
                return self._desk.forget(key)
        expected = active.id if active is not None else run.id
        outcome = await self._engine.supersede(run.workspace, scope, expected=expected)
        words, is_free = _REPLACED[outcome.state]
        self._desk.end(key, words, ok=is_free)
        self._desk.say(Severity.INFORMATION if is_free else Severity.WARNING, outcome.sentence)

    def _active_in(self, workspace: str, scope: str) -> RunView | None:
        runs = self._desk.screen_state.runs.values()
        here = (run for run in runs if (run.workspace, run.scope) == (workspace, scope))
        return next((run for run in here if run.status.is_active), None)


def _key(run: RunView) -> RowKey:
    return run.workspace, run.id


def _what(run: RunView) -> str:
    done = f", {render.progress_count(run.progress)} done" if run.progress else ""
    return f"{run.title}{done}"


def _all_settled(runs: Sequence[RunView]) -> str:
    if len(runs) == 1:
        return f"{runs[0].id} has {runs[0].status} already"
    return f"all {len(runs)} runs have settled already"
