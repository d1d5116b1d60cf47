"""`SupervisedCaller`: lets runs call tools on the generation that runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roost.errors import BundleNotFound
from roost.models import RunProgress, SlotState, ToolView
from roost.runs import CallEnded, ToolAnswer, Withdrawal
from roost.supervision import CallEnded as SessionEnded
from roost.supervision import Supervisor

_COMING = (SlotState.RUNNING, SlotState.STARTING, SlotState.BACKING_OFF)
"""States in which a bundle without a serving process gets one without being asked."""


class SupervisedCaller:
    """Translates between the words of supervision and those of runs."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def tools(self, workspace: str, bundle: str) -> tuple[ToolView, ...]:
        return self._supervisor.tools(workspace, bundle)

    def generation(self, workspace: str, bundle: str) -> int:
        generation = self._supervisor.slot(workspace, bundle).generation
        return generation.number if generation is not None else 0

    def is_coming(self, workspace: str, bundle: str) -> bool:
        try:
            slot = self._supervisor.slot(workspace, bundle)
        except BundleNotFound:
            return False
        if slot.takes_calls and slot.incarnation is not None:
            link = slot.incarnation.link
            return link is not None and not link.is_open  # its end is about to be noticed
        return slot.state in _COMING

    async def call(
        self,
        workspace: str,
        bundle: str,
        tool: str,
        arguments: dict[str, Any],
        on_progress: Callable[[RunProgress], None],
        withdrawal: Withdrawal,
    ) -> ToolAnswer:
        try:
            answer = await self._supervisor.call(
                workspace, bundle, tool, arguments, on_progress, withdrawal
            )
        except SessionEnded as ended:
            raise CallEnded(ended.code, ended.sentence) from ended
        return ToolAnswer(content=answer.content, is_error=answer.is_error, text=answer.text)
