"""The fake engine of the tests and what varies it."""

from __future__ import annotations

from tests.support.fake.build import (
    bundle_view,
    crash_record,
    definition_of,
    generation_view,
    run_view,
)
from tests.support.fake.clock import FIXED_START, FakeClock
from tests.support.fake.engine import FakeEngine
from tests.support.fake.packages import ECHO, WAIT
from tests.support.fake.sample import sample_engine
from tests.support.fake.switches import Call

__all__ = [
    "ECHO",
    "FIXED_START",
    "WAIT",
    "Call",
    "FakeClock",
    "FakeEngine",
    "bundle_view",
    "crash_record",
    "definition_of",
    "generation_view",
    "run_view",
    "sample_engine",
]
