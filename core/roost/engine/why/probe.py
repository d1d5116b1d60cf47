"""The check of the moment: whether a process that runs answers now."""

from __future__ import annotations

import asyncio

from roost.engine.why.output import last_words, stream_lines
from roost.engine.why.steps import Trouble, failed, passed, unknown
from roost.engine.why.subject import NOT_LIVE, Subject
from roost.engine.why.words import span
from roost.models import LogStream, WhyCheck, WhyStep
from roost.supervision.incarnation import Incarnation
from roost.supervision.link import CallEnded, Link
from roost.supervision.readiness import PortTaken, WebProbe

LAST_LINES = 5


async def check_probe(subject: Subject, bound_s: float) -> WhyStep:
    """Ask a process that serves for a sign of life.

    Args:
        bound_s: seconds it has to answer; the caller's own bound is a little longer.
    """
    incarnation = subject.incarnation
    if not subject.is_serving or incarnation is None:
        if subject.failed_check is WhyCheck.PROBE:
            return failed(WhyCheck.PROBE, _recorded(subject))
        return unknown(WhyCheck.PROBE, "there is no ready process to ask")
    if incarnation.link is not None:
        return await _ask_server(subject, incarnation, incarnation.link, bound_s)
    if incarnation.probe is not None:
        return await _ask_web(subject, incarnation, incarnation.probe, bound_s)
    return _look_at(subject, incarnation)


async def _ask_server(
    subject: Subject, incarnation: Incarnation, link: Link, bound_s: float
) -> WhyStep:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(bound_s):
            await link.probe()
    except CallEnded as ended:
        return failed(WhyCheck.PROBE, _mute(subject, incarnation, str(ended)))
    except TimeoutError:
        finding = f"no answer to {link.probe_request} within {bound_s:.1f} s"
        if link.in_flight and not incarnation.process.suspended():
            return unknown(WhyCheck.PROBE, f"{_busy_words(link)}: {finding}")
        return failed(WhyCheck.PROBE, _mute(subject, incarnation, finding))
    return passed(WhyCheck.PROBE, f"it answered in {(loop.time() - began) * 1000:.1f} ms")


def _busy_words(link: Link) -> str:
    """Say what a server of one thread may be silent for."""
    calls = f"{link.in_flight} call{'' if link.in_flight == 1 else 's'}"
    owed_s = link.owed_s()
    silent = "" if owed_s is None else f", silent for {span(round(owed_s * 1000))}"
    return f"it works on {calls}{silent}"


async def _ask_web(
    subject: Subject, incarnation: Incarnation, probe: WebProbe, bound_s: float
) -> WhyStep:
    path = subject.definition.ready_path
    try:
        async with asyncio.timeout(bound_s):
            is_well = await probe.ask()
    except PortTaken as taken:
        said = f"{taken} answers on its port"
        return failed(WhyCheck.PROBE, _mute(subject, incarnation, said))
    except TimeoutError:
        is_well = False
    if not is_well:
        return failed(WhyCheck.PROBE, _mute(subject, incarnation, probe.finding))
    return passed(WhyCheck.PROBE, f"GET {path} on {probe.address} answers")


def _look_at(subject: Subject, incarnation: Incarnation) -> WhyStep:
    if incarnation.process.display_pid in incarnation.process.suspended():
        return failed(WhyCheck.PROBE, _mute(subject, incarnation, "it does not run on"))
    lived = span(subject.now - incarnation.generation.spawned_at)
    return passed(WhyCheck.PROBE, f"it is alive for {lived}")


def _mute(subject: Subject, incarnation: Incarnation, said: str) -> Trouble:
    suspended = " ".join(str(pid) for pid in incarnation.process.suspended())
    if suspended:
        return Trouble(
            f"{said}: a signal has stopped it",
            f"`kill -CONT {suspended}` lets it go on, {subject.respawn} replaces it",
            (f"stopped by a signal: pid {suspended.replace(' ', ', ')}",),
            "bundle.respawn",
        )
    if incarnation.is_elsewhere:
        told = f"see that the server at {incarnation.address} runs, then {subject.respawn}"
        return Trouble(said, told, action="bundle.respawn")
    number = incarnation.generation.number
    return Trouble(
        said,
        f"read what it does (`roost logs {subject.label}`), then {subject.respawn}",
        stream_lines(subject, number, LogStream.STDERR)[-LAST_LINES:],
        "bundle.respawn",
    )


def _recorded(subject: Subject) -> Trouble:
    """Explain why a process is gone that did not answer, at its start or later."""
    assert subject.reason is not None
    if subject.reason.code == NOT_LIVE:
        return Trouble(
            subject.told,
            f"find out what holds it up (`roost logs {subject.label}`); where it only answers "
            f"slowly, `roost set {subject.label} --probe-misses "
            f"{subject.definition.settings.probe_misses * 2}` is more patient; {subject.respawn} "
            "starts it at once",
            last_words(subject, subject.crash),
            "bundle.logs",
        )
    return Trouble(
        subject.told,
        f"make it listen on the port that PORT names, on 127.0.0.1, and answer 2xx on "
        f"{subject.definition.ready_path}; then {subject.respawn}",
        stream_lines(subject, None, LogStream.STDOUT, LogStream.STDERR)[-LAST_LINES:],
        "bundle.respawn",
    )
