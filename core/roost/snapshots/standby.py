"""`PythonStandby`: the backend that parks one loaded process for the next start of a Python bundle.

It is built as a zygote's template is, and judged by the same guards but for those that are about
forks. A start takes the process itself, so the next one is loaded afterwards in the background, and
only while the bundle is wanted to run: it is as large as the bundle's own process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from roost.errors import Unavailable
from roost.models.snapshot import GuardAction, SnapshotBackend
from roost.snapshots.backend import Judge, Template, TemplateReport, Trace, Verdict
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.guards import HARMLESS_WITHOUT_FORK
from roost.snapshots.record import Made
from roost.snapshots.standby_process import StandbyProcesses
from roost.snapshots.zygote import Zygote


class PythonStandby(Zygote):
    """Parks processes of Python bundles."""

    @property
    def kind(self) -> SnapshotBackend:
        """How it starts bundles."""
        return SnapshotBackend.STANDBY

    async def open(self, made: Made, start: ColdStart) -> Template:
        """Park a process for the next start.

        Raises:
            Unavailable: the bundle is stopped, so nothing waits for its next start.
            TemplateFailed: it did not come up, or is not what was verified.
        """
        if not start.should_run:
            raise Unavailable(why_stopped(start.name))
        return await super().open(made, start)

    def _judge(self, judge: Judge) -> Judge:
        return StandbyJudge(judge)

    def _factory(self, start: ColdStart) -> StandbyProcesses:
        return StandbyProcesses(self._driver, self._data_id, start.workspace, start.name)


def why_stopped(name: str) -> str:
    """Return why nothing waits for the next start of a bundle that is stopped."""
    return f"the standby of {name!r} is loaded when it runs; `roost start {name}` starts it"


@dataclass(frozen=True, slots=True)
class StandbyJudge:
    """Judges as for a template, but for what matters to forks and to several processes only."""

    judge: Judge
    """Of templates."""

    def of_trace(self, trace: Trace, credential_names: frozenset[str]) -> Verdict:
        """Judge what happened in the traced start."""
        hazards = tuple(h for h in trace.hazards if h.guard not in HARMLESS_WITHOUT_FORK)
        return self.judge.of_trace(replace(trace, hazards=hazards), credential_names)

    def of_template(self, trace: Trace, report: TemplateReport) -> Verdict:
        """Judge what is in a parked process; `StandbyProcess` tells what matters here."""
        return self.judge.of_template(trace, report)

    def of_comparison(self, trace: Trace, first: TemplateReport, second: TemplateReport) -> Verdict:
        """Judge what differs between two: a time that is noted early is wrong in one process too.

        What would be shared by processes of one template is no finding.
        """
        verdict = self.judge.of_comparison(trace, first, second)
        kept = (f for f in verdict.findings if f.action is not GuardAction.WARN)
        return replace(verdict, findings=tuple(kept))

    def allowed_copies(self, trace: Trace) -> tuple[str, ...]:
        """Return the modules that copied the whole environment and were allowed to, sorted."""
        return self.judge.allowed_copies(trace)
