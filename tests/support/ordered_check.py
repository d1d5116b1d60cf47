"""The ordered check over a supervised world of fake processes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.support.supervised import World

from roost.engine.recipes import BundleRecipes
from roost.engine.why import OrderedCheck
from roost.models import Transition, WhyCheck, WhyReport, WhyStatus, WhyStep
from roost.supervision import BundleSlot

PROGRAM = shutil.which("true") or "/bin/true"
"""A program that is there and can be executed; the fake driver never does."""


class CheckedWorld(World):
    """A supervised world whose bundles can be looked at."""

    def __init__(self, tmp_path: Path) -> None:
        super().__init__(tmp_path)
        self.data_dir = tmp_path / "data"
        self.is_closing = False
        self.check = OrderedCheck(
            recipes=BundleRecipes(self.data_dir, {"PATH": os.environ["PATH"], "HOME": "/home/ops"}),
            credentials=self.secrets,
            logs=self.logs,
            last_move=self.last_move,
            clock=self.clock,
        )

    async def last_move(self, workspace: str, bundle: str) -> Transition | None:
        moves = [move for move in self.journal.transitions if move.bundle == bundle]
        return moves[-1] if moves else None

    async def why(self, slot: BundleSlot) -> WhyReport:
        return await self.check.run(slot, is_closing=self.is_closing)


def step_of(report: WhyReport, check: WhyCheck) -> WhyStep:
    """Return one check of a report."""
    return next(step for step in report.steps if step.check is check)


def first_failing(report: WhyReport) -> WhyCheck | None:
    """Return the check that is the answer, or None."""
    return next((s.check for s in report.steps if s.status is WhyStatus.FAILED), None)
