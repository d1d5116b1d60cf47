from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.support.fake.clock import FakeClock
from tests.support.snapshot_fakes import (
    FakeFactory,
    FakeJudge,
    FakeStarts,
    FakeTraceReader,
    PhaseLog,
    all_loaded,
    finding,
    trace_of,
)
from tests.support.snapshot_keys import DIGEST_KEY, ENV, BundleOnDisk

from roost.errors import TemplateFailed, Unavailable
from roost.models.snapshot import GuardAction, SnapshotPhase, SnapshotState
from roost.snapshots.backend import Built, Hazard, TemplatePlan, TemplateReport, Verdict
from roost.snapshots.builder import ROUNDS, Builder, Parts, Subject, plan_of
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry
from roost.snapshots.record import Attempt


@dataclass
class Site:
    """A build with everything it meets."""

    bundle: BundleOnDisk
    factory: FakeFactory = field(default_factory=FakeFactory)
    judge: FakeJudge = field(default_factory=FakeJudge)
    starts: FakeStarts = field(default_factory=FakeStarts)
    phases: PhaseLog = field(default_factory=PhaseLog)
    readers: list[FakeTraceReader] = field(default_factory=list)

    async def build(self) -> Built | Attempt:
        def open_trace(entry: Entry, start: ColdStart) -> FakeTraceReader:
            self.readers.append(FakeTraceReader(trace_of(self.bundle)))
            return self.readers[-1]

        parts = Parts(self.factory, self.judge, open_trace, FakeClock())
        start = self.bundle.start(ENV | {"GIT_DIR": "/srv", "OTHER": "1"})
        subject = Subject(start, self.bundle.entry, self.bundle.interpreter, DIGEST_KEY)
        return await Builder(parts).build(subject, self.starts, self.starts, self.phases)

    async def built(self) -> Built:
        found = await self.build()
        assert isinstance(found, Built), found
        return found

    async def attempted(self) -> Attempt:
        """Build what cannot be built, and see that nothing is left of it."""
        found = await self.build()
        assert isinstance(found, Attempt), found
        assert not self.factory.open_now
        assert all(reader.is_closed for reader in self.readers)
        return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(BundleOnDisk(tmp_path).make())


async def test_a_build_goes_through_its_phases_and_leaves_one_template(site: Site) -> None:
    built = await site.built()
    assert site.phases.told == list(SnapshotPhase)
    assert [phase for phase, _ in built.made.phases_ms] == list(SnapshotPhase)
    assert site.factory.open_now == [built.template]
    assert site.starts.verified == [built.template]
    assert site.readers[0].is_closed
    assert built.made.modules == ("json", "git", "fetch")
    assert built.made.loaded == 3
    assert built.made.template_bytes == 50_000_000
    assert site.judge.credential_names == {"TOKEN"}


async def test_the_checks_come_first_and_the_canary_is_in_one_of_them_alone(site: Site) -> None:
    await site.built()
    first, second, last = site.factory.plans
    assert first.canary is not None and first.compare
    assert second.canary is None and second.compare
    assert last.canary is None and not last.compare
    assert first.env["TOKEN"] == first.canary[1], "what is read under its name is searched for too"
    assert replace(first, canary=None, env=second.env) == second


async def test_a_template_sees_what_its_modules_read_and_no_credential(site: Site) -> None:
    await site.built()
    seen = {name: ENV[name] for name in ("PATH", "LANG", "LOG_LEVEL")} | {"GIT_DIR": "/srv"}
    assert dict(site.factory.plans[-1].env) == seen


async def test_what_is_excluded_is_not_loaded_and_what_it_read_does_not_count(site: Site) -> None:
    site.judge.trace = Verdict((finding("environ_copy", GuardAction.EXCLUDE),), ("git",))
    built = await site.built()
    last = site.factory.plans[-1]
    assert last.modules == ("json", "fetch")
    assert last.exclude == ("git",)
    assert "GIT_DIR" not in last.env
    assert set(built.made.key.reads) == {"LOG_LEVEL"}
    assert built.made.key.exclude == ("git",)
    assert [each.guard for each in built.made.findings] == ["environ_copy"]


async def test_an_allowed_copy_sees_all_but_credentials_and_pins_the_environment(
    site: Site,
) -> None:
    site.judge.copies = ("git",)
    built = await site.built()
    last = site.factory.plans[-1]
    assert [plan.is_environ_copied for plan in site.factory.plans] == [True] * 3
    seen = {name: value for name, value in ENV.items() if name != "TOKEN"}
    assert dict(last.env) == seen | {"GIT_DIR": "/srv", "OTHER": "1"}
    key = built.made.key
    assert (key.copied_by, set(key.whole)) == (("git",), {*ENV, "GIT_DIR", "OTHER"})
    start = site.bundle.start(ENV | {"GIT_DIR": "/srv", "OTHER": "1", "ROOST_MARK": "m"})
    assert plan_of(built.made, start) == last


async def test_an_allowed_module_that_is_left_out_for_another_reason_pins_nothing(
    site: Site,
) -> None:
    site.judge.copies = ("git",)
    site.judge.trace = Verdict((finding("output", GuardAction.EXCLUDE),), ("git",))
    built = await site.built()
    assert not any(plan.is_environ_copied for plan in site.factory.plans)
    assert (built.made.key.copied_by, dict(built.made.key.whole)) == ((), {})
    assert "OTHER" not in site.factory.plans[-1].env


async def test_a_poisoned_module_is_excluded_too_and_the_template_made_anew(site: Site) -> None:
    site.judge.trace = Verdict((), ("git",))

    def poisoned(plan: TemplatePlan) -> TemplateReport:
        names = () if "fetch" in plan.exclude else ("fetch",)
        return TemplateReport(len(plan.modules), poisoned=names, reprs={})

    site.factory.report = poisoned
    built = await site.built()
    assert built.made.key.exclude == ("fetch", "git")
    assert built.made.modules == ("json",)
    assert len(site.factory.plans) == 4


async def test_a_module_that_is_found_only_later_is_left_to_each_start(site: Site) -> None:
    def not_found(plan: TemplatePlan) -> TemplateReport:
        error = ("git", "ModuleNotFoundError: No module named 'git'")
        failed = (error,) if "git" in plan.modules else ()
        return TemplateReport(len(plan.modules) - len(failed), failed=failed, reprs={})

    site.factory.report = not_found
    built = await site.built()
    assert built.made.modules == ("json", "fetch")
    assert built.made.key.exclude == ()


async def test_rounds_end(site: Site) -> None:
    count = iter(range(100))

    def endless(_: TemplatePlan) -> TemplateReport:
        return TemplateReport(0, poisoned=(f"m{next(count)}",), reprs={})

    site.factory.report = endless
    attempt = await site.attempted()
    assert (attempt.state, attempt.reason.code) == (SnapshotState.REFUSED, "unsettled")
    assert len(site.factory.plans) == ROUNDS


async def test_what_differs_between_two_templates_is_excluded(site: Site) -> None:
    site.judge.comparison = [
        Verdict((finding("per_process_value", GuardAction.EXCLUDE),), ("git",)),
        Verdict((finding("per_process_value", GuardAction.WARN, "json"),)),
    ]
    built = await site.built()
    assert built.made.modules == ("json", "fetch")
    assert [each.action for each in built.made.findings] == [GuardAction.EXCLUDE, GuardAction.WARN]


async def test_a_refusal_by_the_trace_makes_no_template(site: Site) -> None:
    site.judge.trace = Verdict((finding("python_thread", GuardAction.REFUSE),))
    attempt = await site.attempted()
    assert attempt.state is SnapshotState.REFUSED
    assert attempt.reason.code == "python_thread"
    assert attempt.phase is SnapshotPhase.VERDICTS
    assert [each.guard for each in attempt.findings] == ["python_thread"]
    assert not site.factory.plans


@pytest.mark.parametrize(
    ("only_last", "phase"), [(False, SnapshotPhase.VERDICTS), (True, SnapshotPhase.TEMPLATE)]
)
async def test_a_refusal_by_what_is_in_the_template_publishes_nothing(
    site: Site, only_last: bool, phase: SnapshotPhase
) -> None:
    def refuse(report: TemplateReport) -> Verdict:
        is_last = report.reprs is None
        refusing = (finding("open_descriptor", GuardAction.REFUSE),)
        return Verdict(refusing) if is_last or not only_last else Verdict()

    site.judge.template = refuse
    attempt = await site.attempted()
    assert (attempt.state, attempt.phase) == (SnapshotState.REFUSED, phase)
    assert not site.starts.verified


async def test_problems_that_were_not_refused_are_kept_by_name(site: Site) -> None:
    problem = Hazard("native_thread", "json", "has a thread")
    site.factory.report = lambda plan: replace(all_loaded(plan), problems=(problem,))
    assert (await site.built()).made.problems == (("native_thread", "json"),)


async def test_a_template_that_does_not_come_up_fails_the_build(site: Site) -> None:
    site.factory.error = TemplateFailed("it ended with exit 1")
    attempt = await site.attempted()
    assert (attempt.state, attempt.reason.code) == (SnapshotState.FAILED, "template_failed")
    assert attempt.phase is SnapshotPhase.VERDICTS


async def test_other_answers_are_not_published(site: Site) -> None:
    site.starts.restored = (("tools", "[]"),)
    attempt = await site.attempted()
    assert (attempt.state, attempt.reason.code) == (SnapshotState.FAILED, "answers_differ")
    assert "tools" in attempt.reason.sentence
    assert attempt.phase is SnapshotPhase.VERIFY


async def test_a_question_that_is_not_answered_any_more_counts(site: Site) -> None:
    site.starts.restored = ()
    assert (await site.attempted()).reason.code == "answers_differ"


async def test_a_restored_start_that_fails_is_not_published(site: Site) -> None:
    site.starts.error = Unavailable("it ended with exit 3")
    attempt = await site.attempted()
    assert (attempt.state, attempt.phase) == (SnapshotState.FAILED, SnapshotPhase.VERIFY)
    assert attempt.reason.sentence == "it ended with exit 3"


async def test_what_changed_while_it_was_built_is_not_published(site: Site) -> None:
    site.starts.on_verify = lambda: os.utime(site.bundle.script, ns=(1, 1))
    attempt = await site.attempted()
    assert (attempt.state, attempt.reason.code) == (SnapshotState.FAILED, "changed_meanwhile")
    assert str(site.bundle.script) in attempt.reason.sentence


async def test_nothing_is_left_of_a_cancelled_build(site: Site) -> None:
    site.starts.hold = asyncio.Event()
    build = asyncio.create_task(site.build())
    async with asyncio.timeout(30):
        await site.starts.verifying.wait()
    assert len(site.factory.open_now) == 1
    build.cancel()
    with pytest.raises(asyncio.CancelledError):
        await build
    assert not site.factory.open_now


async def test_nothing_is_left_of_a_build_that_breaks_on_a_fault(site: Site) -> None:
    def fault() -> None:
        raise ZeroDivisionError

    site.starts.on_verify = fault
    with pytest.raises(ZeroDivisionError):
        await site.build()
    assert not site.factory.open_now


async def test_the_machines_own_errors_fail_the_build_in_words(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: FakeTraceReader) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(FakeTraceReader, "read", full)
    attempt = await site.attempted()
    assert (attempt.state, attempt.reason.code) == (SnapshotState.FAILED, "system")


async def test_the_template_is_made_again_as_it_was_verified(site: Site) -> None:
    built = await site.built()
    start = site.bundle.start(ENV | {"GIT_DIR": "/srv", "OTHER": "1"})
    assert plan_of(built.made, start) == site.factory.plans[-1]
