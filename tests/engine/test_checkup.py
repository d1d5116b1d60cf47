"""The daemon's check-up of itself."""

import asyncio
import threading
from typing import Any

import pytest
from tests.contract.world import real_engine

from roost import doctor

pytestmark = pytest.mark.real


async def test_those_who_ask_while_a_check_up_runs_are_given_its_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[Any] = []
    go_on = threading.Event()

    def examine(around: Any) -> tuple[()]:
        begun.append(around)
        go_on.wait(30)
        return ()

    monkeypatch.setattr(doctor, "examine", examine)
    async with real_engine() as engine, asyncio.timeout(60):
        asking = [asyncio.create_task(engine.checkup.report()) for _ in range(5)]
        await asyncio.sleep(0)
        go_on.set()
        reports = await asyncio.gather(*asking)
        assert len(begun) == 1
        assert all(report is reports[0] for report in reports)
        assert await engine.checkup.report() is not reports[0], "a later one looks anew"
