"""`TaskPost`: what a worker asks of the daemon."""

from __future__ import annotations

from typing import Any

from roost.errors import LeaseLost, NotFound
from roost.sdk.post import TIMEOUT_S, Line, Post, segment

CLAIM_WAIT_S = 2.0
"""How long a claim waits for a run. A worker that ends waits for the claim under way before it
hands runs back, or that claim would take them again: it is shorter than the grace of handlers."""

NOT_HELD = "the daemon does not know it as this worker's"


class TaskPost:
    """Speaks for one worker; raises as `Post` does.

    Args:
        post: with the worker's token.
    """

    def __init__(self, post: Post) -> None:
        self._post = post

    def hello(self, body: dict[str, Any]) -> dict[str, Any]:
        """Say which tasks this worker does."""
        view: dict[str, Any] = self._post.send("/workers", body)
        return view

    def claim(self, free: int, line: Line) -> list[dict[str, Any]]:
        """Claim at most `free` runs; waits for one, until `line` is cut."""
        body = {"free": free, "wait_s": CLAIM_WAIT_S}
        timeout_s = CLAIM_WAIT_S + TIMEOUT_S
        claimed: list[dict[str, Any]] = self._post.send(
            "/claims", body, timeout_s=timeout_s, line=line
        )
        return claimed

    def report(self, run_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Tell what a handler tells, and return the renewed lease."""
        lease: dict[str, Any] = self._own(run_id, "report", body)
        return lease

    async def report_in_loop(self, run_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Tell what a handler tells, from the event loop; see `Post.send_in_loop`."""
        try:
            path = f"/runs/{segment(run_id)}/task/report"
            lease: dict[str, Any] = await self._post.send_in_loop(path, body)
        except NotFound as error:
            raise LeaseLost(run_id, NOT_HELD) from error
        return lease

    def finish(self, run_id: str, body: dict[str, Any]) -> object:
        """End an attempt."""
        return self._own(run_id, "end", body)

    def release(self, run_id: str, body: dict[str, Any]) -> object:
        """Give a run back."""
        return self._own(run_id, "release", body)

    def submit(self, task: str, body: dict[str, Any]) -> dict[str, Any]:
        """Begin a run of a task."""
        outcome: dict[str, Any] = self._post.send(f"/tasks/{segment(task)}/runs", body)
        return outcome

    def run(self, run_id: str) -> dict[str, Any]:
        """Read a run with its result and events."""
        detail: dict[str, Any] = self._post.fetch(f"/runs/{segment(run_id)}")
        return detail

    def _own(self, run_id: str, verb: str, body: dict[str, Any]) -> Any:
        try:
            return self._post.send(f"/runs/{segment(run_id)}/task/{verb}", body)
        except NotFound as error:
            raise LeaseLost(run_id, NOT_HELD) from error
