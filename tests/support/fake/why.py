"""The ordered check as the fake answers it: from a bundle's state alone, in the engine's words."""

from __future__ import annotations

from tests.support.fake.world import FakeBundle

from roost.models import (
    BundleKind,
    BundleView,
    SlotState,
    StartStep,
    WhyCheck,
    WhyReport,
    WhyStatus,
    WhyStep,
)

_OF_STEP = {
    StartStep.PREPARE: WhyCheck.INSTALL,
    StartStep.RENDER: WhyCheck.RUNTIME,
    StartStep.CREDENTIALS: WhyCheck.CREDENTIALS,
    StartStep.STOP_OLD: WhyCheck.SPAWN,
    StartStep.SPAWN: WhyCheck.SPAWN,
    StartStep.HANDSHAKE: WhyCheck.HANDSHAKE,
    StartStep.READINESS: WhyCheck.TOOLS,
}

_SAID = {
    WhyCheck.DEFINITION: "its definition stands",
    WhyCheck.RUNTIME: "its program is /usr/bin/python3",
    WhyCheck.INSTALL: "it needs no environment of its own",
    WhyCheck.CREDENTIALS: "every required field is set, revision 1",
    WhyCheck.SPAWN: "generation 1 lives as pid 4001 since 12:00:00",
    WhyCheck.HANDSHAKE: "it speaks MCP 2025-11-25",
    WhyCheck.TOOLS: "it offers 2 tools",
    WhyCheck.PROBE: "it answered in 1 ms",
}

_MCP = (BundleKind.MCP_STDIO, BundleKind.MCP_HTTP)


def report_of(bundle: FakeBundle, now: int) -> WhyReport:
    """Return what the ordered check finds of a bundle in its present state."""
    view = bundle.view
    failing = _failing(bundle)
    reached = _reached(view)
    steps = tuple(_step(view, check, failing, reached) for check in WhyCheck)
    is_up = view.state is SlotState.RUNNING and failing is None
    return WhyReport(view.workspace, view.name, now, is_up, _sentence(view, failing), steps)


def _label(view: BundleView) -> str:
    return f"{view.workspace}/{view.name}"


def _failing(bundle: FakeBundle) -> WhyStep | None:
    view = bundle.view
    label = _label(view)
    if view.missing_fields and view.state is SlotState.NEEDS_CREDENTIALS:
        names = ", ".join(view.missing_fields)
        sets = " ".join(f"--set {name}" for name in view.missing_fields)
        said = f"it needs {names}, which is not set"
        way_out = f"`roost credentials {label} {sets}` sets it"
        return _failed(WhyCheck.CREDENTIALS, said, way_out, "bundle.credentials")
    if view.waits_for and view.state is not SlotState.RUNNING:
        return None
    if view.state is SlotState.STOPPED:
        way_out = f"`roost start {label}` starts it"
        return _failed(WhyCheck.SPAWN, _stop_words(bundle), way_out, "bundle.start")
    if view.stale:
        check = WhyCheck.CREDENTIALS if "credentials" in view.stale else WhyCheck.DEFINITION
        number = view.generation.number if view.generation else 0
        said = f"generation {number} lags behind in {' and '.join(view.stale)}"
        forced = " --force REASON" if view.protected else ""
        way_out = f"`roost respawn {label}{forced}` brings it up to date"
        return _failed(check, said, way_out, "bundle.respawn")
    if view.state in (SlotState.DEAD, SlotState.BACKING_OFF):
        return _last_failure(view)
    return None


def _stop_words(bundle: FakeBundle) -> str:
    last = bundle.transitions[0] if bundle.transitions else None
    if last is None:
        return "it was installed without being started"
    return f"{last.actor} stopped it at 12:00:00"


def _last_failure(view: BundleView) -> WhyStep:
    check = _OF_STEP[view.step] if view.step else WhyCheck.SPAWN
    label, evidence = _label(view), view.crash.stderr_tail if view.crash else ()
    said = view.reason.sentence if view.reason else "its last start failed"
    if view.crash is not None:
        check, exit = WhyCheck.SPAWN, view.crash.exit
        said = f"generation {view.crash.generation} ended with {exit} at 12:00:00"
    way_out = f"mend what its last words name (`roost logs {label}`), then `roost respawn {label}`."
    return _failed(check, said, way_out, "bundle.respawn", evidence)


def _failed(
    check: WhyCheck, said: str, way_out: str, action: str, evidence: tuple[str, ...] = ()
) -> WhyStep:
    return WhyStep(check, WhyStatus.FAILED, said, evidence, way_out, action)


def _reached(view: BundleView) -> WhyCheck | None:
    """Return the check a start is at, before which all passed."""
    if view.waits_for:
        return WhyCheck.SPAWN
    if view.state is not SlotState.STARTING:
        return None
    return _OF_STEP[view.step or StartStep.PREPARE]


def _step(
    view: BundleView, check: WhyCheck, failing: WhyStep | None, reached: WhyCheck | None
) -> WhyStep:
    order = list(WhyCheck)
    if failing is not None and check is failing.check:
        return failing
    is_running = view.state is SlotState.RUNNING
    if failing is not None and not is_running and order.index(check) > order.index(failing.check):
        return WhyStep(check, WhyStatus.UNKNOWN, "not reached")
    if reached is not None and order.index(check) >= order.index(reached):
        return WhyStep(check, WhyStatus.UNKNOWN, "not reached yet")
    if check in (WhyCheck.HANDSHAKE, WhyCheck.TOOLS) and view.kind not in _MCP:
        return WhyStep(check, WhyStatus.UNKNOWN, f"a {view.kind} bundle has none")
    return WhyStep(check, WhyStatus.PASSED, _SAID[check])


def _sentence(view: BundleView, failing: WhyStep | None) -> str:
    label = _label(view)
    if failing is not None:
        lead = "runs, but" if view.state is SlotState.RUNNING else f"is {view.state}:"
        way_out = failing.way_out[:1].upper() + failing.way_out[1:]
        return f"{label} {lead.replace('_', ' ')} {failing.said}. {way_out.rstrip('.')}."
    if view.waits_for and view.state is not SlotState.RUNNING:
        first = f"{view.workspace}/{view.waits_for[0]}"
        names = ", ".join(view.waits_for)
        return f"{label} waits for {names}. `roost why {first}` tells what keeps that."
    if view.state is SlotState.RUNNING:
        number = view.generation.number if view.generation else 1
        return f"Nothing is wrong: {label} runs as generation {number} and answered."
    return f"{label} is {view.state}: {str(view.step or 'under way').replace('_', ' ')}."
