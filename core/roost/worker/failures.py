"""Errors of durable tasks that handlers meet and no API tells."""

from __future__ import annotations


class StepFailed(Exception):
    """What a step returned cannot be kept, so that the next attempt would not know of it.

    An error that a step's function raises comes out of `step` as it is.
    """

    def __init__(self, step: str, why: str) -> None:
        super().__init__(f"nothing of step {step!r} is kept: {why}")
        self.step = step
