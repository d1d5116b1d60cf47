"""What tests do to the fake from the side: put things there, let them fail, be gone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.support.fake.clock import FakeClock
from tests.support.fake.slots import FakeSlots
from tests.support.fake.switches import Call, Switches
from tests.support.fake.world import FakeBundle, FakeRun, FakeWorld

from roost.errors import BundleProtected, RoostError, ShuttingDown
from roost.models import (
    BundleMeasure,
    BundleView,
    ChangeBody,
    ConfigField,
    DaemonChanged,
    Definition,
    FieldValue,
    Figures,
    FigureSample,
    FiguresChanged,
    Finding,
    LogStream,
    RunError,
    RunEvent,
    RunEventKind,
    RunProgress,
    RunStatus,
    RunView,
    StartStep,
    ToolView,
    WhyReport,
    WorkspaceView,
)


class FakeControls:
    """The controls of one fake, seen by one actor."""

    def __init__(
        self,
        world: FakeWorld,
        switches: Switches,
        actor: str,
        generation_id: str | None = None,
    ) -> None:
        self.world = world
        self.switches = switches
        self.actor = actor
        self.generation_id = generation_id
        self._slots = FakeSlots(world, switches, actor)

    @property
    def clock(self) -> FakeClock:
        return self.world.clock

    @property
    def calls(self) -> list[Call]:
        """Every call so far, oldest first."""
        return self.switches.calls

    def called(self, method: str) -> list[dict[str, Any]]:
        """Return the arguments of every call of one method."""
        return [call.arguments for call in self.calls if call.method == method]

    def add_workspace(self, workspace: str, label: str | None = None) -> WorkspaceView:
        view = WorkspaceView(workspace, label or workspace, self.clock.now())
        self.world.put_workspace(view)
        return view

    def add_bundle(self, view: BundleView, definition: Definition | None = None) -> BundleView:
        """Add a bundle as it is; its workspace is made when missing."""
        if view.workspace not in self.world.workspaces:
            self.add_workspace(view.workspace)
        self.world.put_bundle(view, definition)
        return view

    def change_bundle(self, workspace: str, name: str, **changes: Any) -> BundleView:
        """Change fields of a bundle's view and tell the viewers."""
        bundle = self.world.require_bundle(workspace, name)
        self.world.change_bundle(bundle, **changes)
        return bundle.view

    def add_tool(
        self, workspace: str, name: str, tool: ToolView, *, result: Any | None = None
    ) -> None:
        """Offer a tool. With a `result` its calls succeed at once, else they wait for the test."""
        bundle = self.world.require_bundle(workspace, name)
        bundle.tools[tool.name] = tool
        if result is not None:
            bundle.results[tool.name] = result
        self.world.change_bundle(bundle, tool_count=len(bundle.tools))

    def set_form(
        self,
        workspace: str,
        name: str,
        fields: tuple[ConfigField, ...],
        values: dict[str, FieldValue] | None = None,
        *,
        previous: dict[str, FieldValue] | None = None,
    ) -> None:
        """Give a bundle its fields, and what is stored for them."""
        bundle = self.world.require_bundle(workspace, name)
        bundle.fields = fields
        bundle.definition = replace(bundle.definition, fields=fields)
        bundle.values, bundle.previous = dict(values or {}), previous
        revision = 1 if values else 0
        stamp = (revision, self.clock.now(), self.actor)
        bundle.field_revisions = dict.fromkeys(bundle.values, stamp)
        self.world.change_bundle(
            bundle,
            field_count=len(fields),
            missing_fields=bundle.missing,
            credential_revision=revision,
        )

    def measure(self, workspace: str, name: str, figures: Figures) -> None:
        """Take figures of a running bundle and tell the viewers."""
        bundle = self.world.require_bundle(workspace, name)
        sample = FigureSample(
            self.clock.now(),
            figures.cpu_percent,
            figures.rss_bytes,
            figures.descriptors,
            figures.threads,
        )
        bundle.samples.append(sample)
        self.world.change_bundle(bundle, figures=figures)
        measure = BundleMeasure(workspace, name, figures, bundle.view.calls)
        self.world.publish(FiguresChanged((measure,)))

    def set_why(self, workspace: str, name: str, report: WhyReport) -> None:
        """Say what the ordered check of a bundle answers from now on."""
        self.world.require_bundle(workspace, name).why = report

    def set_findings(self, *findings: Finding) -> None:
        """Say what the doctor finds from now on."""
        self.world.findings = findings

    def push(self, body: ChangeBody) -> None:
        """Publish a change as it is, without touching the state."""
        self.world.publish(body)

    def add_run(
        self,
        view: RunView,
        *,
        input: Any = None,
        result: Any = None,
        events: tuple[RunEvent, ...] = (),
        is_truncated: bool = False,
    ) -> RunView:
        """Add a run as it is."""
        last_seq = events[-1].seq if events else view.last_seq
        run = FakeRun(replace(view, last_seq=last_seq), input, result, list(events), is_truncated)
        self.world.put_run(run)
        return run.view

    def progress(
        self,
        run_id: str,
        current: float,
        total: float | None = None,
        message: str | None = None,
    ) -> None:
        """Report a step of an active run."""
        run = self.world.runs[run_id]
        self.world.add_run_event(
            run,
            RunEventKind.STEP,
            message or f"{current:g}",
            current,
            total,
            progress=RunProgress(current, total, message),
            step_count=run.view.step_count + 1,
            last_progress_at=self.clock.now(),
        )

    def output(self, run_id: str, text: str) -> None:
        """Add an output event to an active run."""
        self.world.add_run_event(self.world.runs[run_id], RunEventKind.OUTPUT, text)

    def change_run(self, run_id: str, **changes: Any) -> RunView:
        """Change fields of a run's view and tell the viewers."""
        run = self.world.runs[run_id]
        run.view = replace(run.view, **changes)
        self.world.put_run(run)
        return run.view

    def settle_run(
        self,
        run_id: str,
        status: RunStatus = RunStatus.SUCCEEDED,
        *,
        result: Any = None,
        error: RunError | None = None,
    ) -> RunView:
        """Settle an active run."""
        run = self.world.runs[run_id]
        return self._slots.settle_run(run, status, result=result, error=error)

    def append_log(
        self,
        workspace: str,
        name: str,
        text: str,
        *,
        stream: LogStream = LogStream.STDOUT,
        generation: int | None = None,
    ) -> None:
        """Write a line to the log of a bundle's newest generation, or of a given one."""
        bundle = self.world.require_bundle(workspace, name)
        self.world.append_log(bundle, text, stream, generation)

    def crash(self, workspace: str, name: str, sentence: str = "exited with 1") -> None:
        """Let a bundle die by itself; its active runs are lost."""
        self._slots.crash(self.world.require_bundle(workspace, name), sentence)

    def hold_starts(self) -> None:
        """Let every start wait before its handshake until `release_starts`."""
        self.switches.start_gate.clear()

    def release_starts(self) -> None:
        self.switches.start_gate.set()

    def hold_scans(self) -> None:
        """Let every search for servers of MCP clients wait until `release_scans`."""
        self.switches.scan_gate.clear()

    def release_scans(self) -> None:
        self.switches.scan_gate.set()

    def fail_next_start(
        self, step: StartStep = StartStep.HANDSHAKE, sentence: str = "it did not answer"
    ) -> None:
        """Let the next start or respawn fail at a step."""
        self.switches.failing_start = (step, sentence)

    def refuse_next(self, error: RoostError) -> None:
        """Let the next call raise this."""
        self.switches.refusals.append(error)

    def disconnect(self) -> None:
        """Be gone: every call raises `DaemonUnreachable` and every stream ends with it."""
        self.world.gone.set()
        self.world.wake()

    def reconnect(self) -> None:
        """Answer again."""
        self.world.gone.clear()

    def close(self, reason: str = "the daemon is stopping") -> None:
        """Send the closing notice; streams end after it."""
        self.world.close(reason)

    def begin_stop(
        self,
        *waiting_for: str,
        reason: str = "the daemon is stopping",
        deadline_s: float | None = None,
    ) -> None:
        """Begin to stop: say so, close the streams, and answer questions until `disconnect`.

        Args:
            waiting_for: what the shutdown waits for.
            reason: what the closing notice says.
            deadline_s: seconds after which the end is forced.
        """
        deadline_at = None if deadline_s is None else self.clock.now() + round(deadline_s * 1000)
        self.world.daemon = replace(
            self.world.daemon, is_stopping=True, stop_deadline_at=deadline_at
        )
        self.wait_for(*waiting_for)
        self.world.publish(DaemonChanged(self.world.daemon_view()))
        self.close(reason)

    def wait_for(self, *names: str) -> None:
        """Say that the shutdown waits for these from now on."""
        self.world.daemon = replace(self.world.daemon, waiting_for=names)

    def restart(self, start_id: str = "again") -> None:
        """Answer as another start of the daemon, with everything that was stored."""
        self.world.restart(start_id)

    # Inside

    def _begin(self, method: str, **arguments: Any) -> None:
        self.calls.append(Call(method, arguments, self.actor))
        self.world.check_connection()
        if self.switches.refusals:
            raise self.switches.refusals.pop(0)

    def _refuse_when_stopping(self) -> None:
        if self.world.daemon.is_stopping or self.world.is_closed:
            raise ShuttingDown

    def _refuse_protected(self, bundle: FakeBundle, what: str, reason: str | None) -> None:
        if bundle.view.protected and not reason:
            raise BundleProtected(bundle.view.name, what)
