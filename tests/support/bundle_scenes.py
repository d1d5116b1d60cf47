"""Bundles as the bundle screen and the question why meet them: measured, handed over, waiting."""

from __future__ import annotations

from tests.support.fake_engine import FakeEngine, generation_view, sample_engine

from roost.models import Figures, StartStep

MIB = 1024 * 1024


def measured_engine(samples: int = 90) -> FakeEngine:
    """Return the sample daemon two seconds per sample later, with figures of `filesystem`."""
    fake = sample_engine()
    for number in range(samples):
        fake.clock.advance(2)
        cpu = 40.0 if number % 30 == 0 else 1.5 + number % 7
        figures = Figures(cpu, (60 + number // 3) * MIB, 2, 9 + number // 20 % 3, 30 + number // 10)
        fake.measure("acme", "filesystem", figures)
    return fake


def begin_handover(fake: FakeEngine) -> None:
    """Let the next generation of `filesystem` be verified beside the running one."""
    candidate = generation_view(
        5,
        version="2.2.0",
        pid=48500,
        spawned_at=fake.clock.now() - 3000,
        ready_at=None,
        ready_ms=None,
    )
    fake.change_bundle("acme", "filesystem", candidate=candidate, step=StartStep.HANDSHAKE)
