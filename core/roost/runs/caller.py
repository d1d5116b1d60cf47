"""`ToolCaller`: what tool calls need of whoever owns the processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from roost.models import RunProgress, ToolView
from roost.runs.withdrawal import Withdrawal


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a tool answered; an error answer is an answer too."""

    content: Any
    """The answer as JSON."""
    is_error: bool
    text: str
    """The answer's text parts, for people."""


class CallEnded(Exception):
    """A call whose answer will never come.

    `code` is ``lost`` (the process died) or ``restarting`` (it is being replaced).
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class ToolCaller(Protocol):
    """Calls tools of running bundles."""

    def tools(self, workspace: str, bundle: str) -> tuple[ToolView, ...]:
        """Return the tools of a running bundle.

        Raises:
            BundleNotFound: no such bundle in this workspace.
            NotRunning: it has no ready process.
        """
        ...

    def generation(self, workspace: str, bundle: str) -> int:
        """Return the number of the generation that a call made now would go to.

        Raises:
            BundleNotFound: no such bundle in this workspace.
            NotRunning: it has no ready process.
        """
        ...

    def is_coming(self, workspace: str, bundle: str) -> bool:
        """Return whether a bundle takes no calls now but will by itself, such as after a crash."""
        ...

    async def call(
        self,
        workspace: str,
        bundle: str,
        tool: str,
        arguments: dict[str, Any],
        on_progress: Callable[[RunProgress], None],
        withdrawal: Withdrawal,
    ) -> ToolAnswer:
        """Call a tool and wait for its answer. Cancelling the caller cancels the call.

        Args:
            on_progress: told of each report, in order, without being awaited.
            withdrawal: asks for the end of the call: it is cancelled then, and this lasts until an
                end of its work is seen.

        Raises:
            CallEnded: the answer will never come.
        """
        ...
