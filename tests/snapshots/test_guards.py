"""The corpus: every hazard is found by its guard, and no control by any."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.snapshots.guard_bench import (
    CORPUS,
    CREDENTIAL,
    corpus_app,
    interpreter,
    template,
    trace,
)

from roost.models.snapshot import GuardAction, GuardFinding
from roost.snapshots.backend import TemplateReport, Trace
from roost.snapshots.verdicts import GuardJudge

pytestmark = pytest.mark.real

TRACE, TEMPLATE, COMPARISON = "trace", "template", "comparison"

HAZARDS = {
    "credential_getenv": ("credential_read", {TRACE}),
    "credential_item": ("credential_read", {TRACE}),
    "credential_asked_for": ("credential_read", {TRACE}),
    "credential_bytes": ("credential_read", {TRACE}),
    "credential_in_class": ("credential_read", {TRACE}),
    "credential_by_helper": ("credential_read", {TRACE}),
    "environ_dict": ("environ_copy", {TRACE}),
    "environ_items": ("environ_copy", {TRACE}),
    "environ_copied": ("environ_copy", {TRACE}),
    "environ_merged": ("environ_copy", {TRACE}),
    "environ_given_away": ("environ_copy", {TRACE}),
    "environ_set": ("environ_changed", {TRACE, TEMPLATE}),
    "environ_removed": ("environ_changed", {TRACE, TEMPLATE}),
    "environ_put": ("environ_changed", {TRACE}),
    "native_getenv": ("native_environ", {TEMPLATE}),
    "native_copy": ("native_environ", {TEMPLATE}),
    "native_posix": ("native_environ", {TEMPLATE}),
    "native_proc": ("native_environ", {TRACE, TEMPLATE}),
    "thread_running": ("python_thread", {TRACE, TEMPLATE}),
    "thread_pool": ("python_thread", {TRACE, TEMPLATE}),
    "thread_raw": ("python_thread", {TRACE, TEMPLATE}),
    "thread_timer": ("python_thread", {TRACE, TEMPLATE}),
    "socket_listening": ("open_descriptor", {TRACE, TEMPLATE}),
    "socket_connected": ("open_descriptor", {TRACE}),
    "file_open": ("open_descriptor", {TRACE, TEMPLATE}),
    "database_open": ("open_descriptor", {TRACE}),
    "epoll_made": ("open_descriptor", {TRACE, TEMPLATE}),
    "pipe_made": ("open_descriptor", {TRACE, TEMPLATE}),
    "loop_set": ("event_loop", {TRACE, TEMPLATE}),
    "loop_of_policy": ("event_loop", {TRACE, TEMPLATE}),
    "child_running": ("process_state", {TEMPLATE}),
    "child_forked": ("process_state", {TRACE, TEMPLATE}),
    "timer_started": ("process_state", {TRACE, TEMPLATE}),
    "signal_handled": ("process_state", {TRACE, TEMPLATE}),
    "signal_replaced": ("process_state", {TRACE, TEMPLATE}),
    "signal_ignored": ("process_state", {TRACE, TEMPLATE}),
    "signal_blocked": ("process_state", {TEMPLATE}),
    "memory_shared": ("process_state", {TEMPLATE}),
    "memory_shared_value": ("process_state", {TEMPLATE}),
    "arguments_read": ("arguments", {TRACE}),
    "arguments_parsed": ("arguments", {TRACE}),
    "arguments_replaced": ("arguments", {TRACE}),
    "folder_changed": ("arguments", {TRACE, TEMPLATE}),
    "output_printed": ("output", {TEMPLATE}),
    "output_warned": ("output", {TEMPLATE}),
    "output_below": ("output", {TEMPLATE}),
    "value_uuid": ("per_process_value", {COMPARISON}),
    "value_time": ("per_process_value", {COMPARISON}),
    "value_pid": ("per_process_value", {COMPARISON}),
    "value_token": ("per_process_value", {COMPARISON}),
    "value_in_table": ("per_process_value", {COMPARISON}),
    "import_exits": ("import_failed", {TEMPLATE}),
    "import_raises": ("import_failed", {TEMPLATE}),
}
"""By module of the corpus: its guard, and all the phases in which that guard finds it."""

CONTROLS = sorted(path.stem for path in CORPUS.glob("fine_*.py"))

NEVER_READY = {"import_exits", "import_raises"}
"""They end the app, so no trace has them."""

MINORS = ("3.11", "3.12", "3.13")

JUDGE = GuardJudge(own_folder=str(CORPUS))


@dataclass(frozen=True, slots=True)
class Case:
    """What the phases of a build found in one module of the corpus."""

    trace: Trace
    report: TemplateReport
    found: dict[str, tuple[GuardFinding, ...]]

    def findings(self) -> Iterator[GuardFinding]:
        for findings in self.found.values():
            yield from findings


def expected_phases(python: str, names: tuple[str, ...]) -> set[str]:
    """Return the phases to go through: all, and with other interpreters those that find it."""
    if NEVER_READY.intersection(names):
        return {TEMPLATE}
    if python == sys.executable or len(names) > 1:
        return {TRACE, TEMPLATE}
    phases = set(HAZARDS[names[0]][1])
    return {TRACE, TEMPLATE} if COMPARISON in phases else phases


def build(python: str, *names: str) -> Case:
    """Find what there is to find in modules that are loaded together."""
    app = corpus_app(*names, interpreter=python)
    kinds = {name.partition("_")[0] for name in names}
    phases = expected_phases(python, names)
    traced = trace(app) if TRACE in phases else Trace(())
    needs_two = not kinds.isdisjoint({"value", "fine"})
    needs_canary = not kinds.isdisjoint({"native", "credential", "environ", "fine"})
    first = TemplateReport(loaded=0)
    if TEMPLATE in phases:
        first = template(app, names, canary=needs_canary, compare=needs_two)
    second = template(app, names, compare=True) if needs_two else first
    found = {
        TRACE: JUDGE.of_trace(traced, frozenset({CREDENTIAL})).findings,
        TEMPLATE: JUDGE.of_template(traced, first).findings,
        COMPARISON: JUDGE.of_comparison(traced, first, second).findings,
    }
    return Case(traced, first, found)


class Corpus:
    """The cases of one interpreter, each built once, when it is asked for."""

    def __init__(self, python: str) -> None:
        self._python = python
        self._built: dict[tuple[str, ...], Case] = {}

    def hazard(self, name: str) -> Case:
        return self._case(name)

    def controls(self) -> Case:
        """Return what was found in the harmless ones, together: each of them must bear that."""
        return self._case(*CONTROLS)

    def _case(self, *names: str) -> Case:
        if names not in self._built:
            self._built[names] = build(self._python, *names)
        return self._built[names]


# The tests of an interpreter share what was built, so they run in one process.
GROUPED = [
    pytest.param(minor, marks=pytest.mark.xdist_group(f"corpus-{minor}")) for minor in MINORS
]


@pytest.fixture(scope="module", params=GROUPED)
def corpus(request: pytest.FixtureRequest) -> Corpus:
    python = interpreter(request.param)
    if python is None:
        pytest.skip(f"Python {request.param} is not installed")
    return Corpus(python)


@pytest.mark.parametrize("name", HAZARDS)
def test_a_hazard_is_found_by_its_guard_in_every_phase_that_can_see_it(
    corpus: Corpus, name: str
) -> None:
    guard, phases = HAZARDS[name]
    case = corpus.hazard(name)
    found = {phase for phase, all_ in case.found.items() if guard in {f.guard for f in all_}}
    assert found == phases, case.found


@pytest.mark.parametrize("name", HAZARDS)
def test_a_hazard_is_not_prepared_and_its_finding_says_a_way_out(corpus: Corpus, name: str) -> None:
    guard, _ = HAZARDS[name]
    found = [one for one in corpus.hazard(name).findings() if one.guard == guard]
    assert any(one.action is not GuardAction.WARN for one in found)
    for one in found:
        assert one.module in (name, None)
        assert (one.module or "a module that cannot be named") in one.sentence
        assert ": " in one.sentence


def test_no_guard_finds_anything_in_harmless_modules(corpus: Corpus) -> None:
    case = corpus.controls()
    assert [one.sentence for one in case.findings()] == []
    assert {module.name for module in case.trace.modules}.issuperset(CONTROLS)
    assert case.report.loaded == len(CONTROLS)


def test_every_module_of_the_corpus_is_tried() -> None:
    files = {path.stem for path in CORPUS.glob("*.py")} - {"run_them"}
    assert files == {*HAZARDS, *CONTROLS}
    assert len(CONTROLS) >= 12
