"""The check of the process: there is one, or why the last one did not stay."""

from __future__ import annotations

from roost.drivers.listeners import foreign_listener
from roost.engine.why.causes import remedy
from roost.engine.why.elsewhere import mended_by, seen_now
from roost.engine.why.kills import kernel_kills
from roost.engine.why.output import last_words
from roost.engine.why.steps import Trouble, failed, passed, unknown
from roost.engine.why.subject import NOT_ENDED, Subject
from roost.models import CrashRecord, SlotState, WhyCheck, WhyStep
from roost.supervision.start_failures import StartFailed
from roost.supervision.web_ports import check_fixed_port

_LOOKED_AT_AGAIN = (WhyCheck.DEFINITION, WhyCheck.RUNTIME, WhyCheck.CREDENTIALS)
"""Checks that tell how things are now; what a start met there may be mended since."""

_ENDED_BY_ITSELF = ("crashed", "exited")
"""Codes of reasons that stand for an end nobody asked for."""


def check_spawn(subject: Subject) -> WhyStep:
    """Look whether there is a process, or why the last one did not stay."""
    check = WhyCheck.SPAWN
    if subject.view.waits_for and not subject.is_serving:
        return unknown(check, subject.told)
    if subject.failed_check is check or subject.failed_check in _LOOKED_AT_AGAIN:
        return failed(check, _last_failure(subject))
    if subject.is_serving and "respawn" in subject.view.stale and subject.failed_check is None:
        said, way_out = "its last respawn failed", f"{subject.respawn} tries again"
        return failed(check, Trouble(said, way_out, action="bundle.respawn"))
    if subject.is_serving or subject.is_starting:
        return _alive(subject)
    if subject.failed_check is not None:
        is_elsewhere = subject.definition.is_elsewhere
        return passed(check, f"its {'session' if is_elsewhere else 'process'} was started")
    return failed(check, _not_started(subject))


def _alive(subject: Subject) -> WhyStep:
    check, generation = WhyCheck.SPAWN, subject.generation
    if subject.is_starting and subject.step_check not in _AFTER_SPAWN:
        return unknown(check, f"not reached yet: its start is at {_step_words(subject)}")
    if generation is None or generation.ended_at is not None:
        return unknown(check, "its process is about to be started")
    since = subject.since(generation.spawned_at)
    if subject.definition.is_elsewhere:
        return passed(check, f"generation {generation.number} is a session since {since}")
    pid = f" as pid {generation.pid}" if generation.pid is not None else ""
    return passed(check, f"generation {generation.number} lives{pid} since {since}")


_AFTER_SPAWN = (WhyCheck.SPAWN, WhyCheck.HANDSHAKE, WhyCheck.TOOLS, WhyCheck.PROBE)


def _step_words(subject: Subject) -> str:
    return str(subject.view.step or "its beginning").replace("_", " ")


def _last_failure(subject: Subject) -> Trouble:
    """Explain the end of the last process, or what kept it from being started."""
    reason, crash = subject.reason, subject.crash
    assert reason is not None
    if subject.failed_check in _LOOKED_AT_AGAIN:
        said = f"its last start failed: {subject.told}. What it met then is mended by now"
        return Trouble(said, f"{subject.respawn} starts it", action="bundle.respawn")
    if reason.code == NOT_ENDED:
        way_out = f"end them by hand (`kill -9 PID`), then {subject.respawn}"
        return Trouble(subject.told, way_out, action="bundle.respawn")
    if reason.code == "port_in_use":
        return _port_trouble(subject, subject.told)
    if subject.definition.is_elsewhere:
        told = mended_by(subject) or f"{subject.respawn} tries again."
        return Trouble(subject.told, told, seen_now(subject), action="bundle.respawn")
    if crash is None or reason.code not in _ENDED_BY_ITSELF:
        lines = last_words(subject, crash)
        return Trouble(subject.told, _retry_words(subject, lines), lines, action="bundle.respawn")
    return _crash_trouble(subject, crash)


def _crash_trouble(subject: Subject, crash: CrashRecord) -> Trouble:
    lines = last_words(subject, crash)
    when = f"generation {crash.generation} ended with {crash.exit} at {subject.since(crash.at)}"
    early = ", before it was ready" if crash.step is not None else ""
    words = f"; its last words: {lines[-1].strip()[:160]}" if lines else ", without a word"
    return Trouble(
        f"{when}{early}{words}",
        _retry_words(subject, lines),
        (*_kill_evidence(crash), *lines),
        "bundle.logs",
    )


def _retry_words(subject: Subject, lines: tuple[str, ...]) -> str:
    looked = f"mend what its last words name (`roost logs {subject.label}`), then "
    known = remedy(lines, subject.label)
    return " ".join(filter(None, (f"{looked if lines else ''}{subject.respawn}.", known)))


def _kill_evidence(crash: CrashRecord) -> tuple[str, ...]:
    """Say who may have sent KILL: where Roost does so, no crash is recorded as one."""
    if crash.exit != "SIGKILL":
        return ()
    kills = kernel_kills()
    counted = f"; it counts {kills} so far" if kills else ""
    told = "Roost did not send this SIGKILL; a kernel short of memory does"
    return (f"{told} (`journalctl -k | grep -i oom`){counted}",)


def _port_trouble(subject: Subject, recorded: str) -> Trouble:
    port = subject.definition.port
    try:
        check_fixed_port(subject.slot)
    except StartFailed as taken:
        holder = foreign_listener("127.0.0.1", port, ()) if port is not None else None
        way_out = f"end it, or give the bundle another port; then {subject.respawn}"
        evidence = (f"{holder} listens on port {port}",) if holder else ()
        return Trouble(taken.sentence, way_out, evidence, "bundle.respawn")
    said = f"its last start failed: {recorded}. The port is free by now"
    return Trouble(said, f"{subject.respawn} starts it", action="bundle.respawn")


def _not_started(subject: Subject) -> Trouble:
    """Explain why there is no process although nothing failed."""
    start = f"`roost start {subject.label}` starts it"
    if subject.state is SlotState.STOPPING:
        return Trouble("its process is being ended", f"wait for its end; then {start}")
    if subject.reason is not None and subject.reason.code == "finished":
        return Trouble(subject.told, start, action="bundle.start")
    if subject.view.should_run and subject.state is SlotState.STOPPED:
        return Trouble("its start has not begun yet", "wait a moment, then look again")
    return Trouble(_stop_words(subject), start, action="bundle.start")


def _stop_words(subject: Subject) -> str:
    move = subject.last_move
    if move is None:
        return "it was installed without being started"
    if move.after is SlotState.STOPPED and move.cause == "operator":
        told = f" ({move.reason})" if move.reason else ""
        return f"{move.actor} stopped it at {subject.since(move.at)}{told}"
    state = subject.state.value.replace("_", " ")
    return f"it is {state} since {subject.since(subject.view.since)}"
