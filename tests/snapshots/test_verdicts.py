from __future__ import annotations

import pytest

from roost.models.snapshot import GuardAction
from roost.snapshots.backend import (
    EnvironmentRead,
    Hazard,
    TemplateReport,
    Trace,
    TracedModule,
    Verdict,
)
from roost.snapshots.guards import WAYS_OUT, Guard
from roost.snapshots.importers import Importers
from roost.snapshots.verdicts import GuardJudge

NOBODY: frozenset[str] = frozenset()

# app imports service and other; service imports git, with which git.cmd comes.
TRACE = Trace(
    modules=(
        TracedModule("os", None),
        TracedModule("git.cmd", "/site-packages/git/cmd.py", "git"),
        TracedModule("git", "/site-packages/git/__init__.py", "service"),
        TracedModule("service", "/app/service.py", "app"),
        TracedModule("other", "/app/other.py", "app"),
        TracedModule("app", "/app/app.py"),
    ),
    imports=(("git.cmd", "os"), ("service", "git"), ("app", "service"), ("other", "os")),
)


def with_hazards(*hazards: Hazard) -> Trace:
    return Trace(TRACE.modules, TRACE.imports, hazards)


def report(*problems: Hazard, failed: tuple[tuple[str, str], ...] = ()) -> TemplateReport:
    return TemplateReport(loaded=6, failed=failed, problems=problems)


def actions(verdict: Verdict) -> list[tuple[str, GuardAction, str | None]]:
    return [(one.guard, one.action, one.module) for one in verdict.findings]


def test_a_module_is_excluded_with_everything_that_needs_it_leaves_first() -> None:
    trace = with_hazards(Hazard("environ_copy", "git", "copied the whole environment"))
    verdict = GuardJudge().of_trace(trace, NOBODY)
    assert verdict.exclude == ("git.cmd", "git", "service", "app")
    (finding,) = verdict.findings
    assert finding.action is GuardAction.EXCLUDE
    assert finding.importers == ("git.cmd", "service", "app")
    assert "`git` copied the whole environment" in finding.sentence
    assert "3 that need it" in finding.sentence
    assert verdict.refusal is None


def test_findings_come_in_the_order_of_the_modules() -> None:
    trace = with_hazards(
        Hazard("arguments", "app", "used sys.argv"),
        Hazard("python_thread", "other", "left a thread running: x"),
        Hazard("environ_copy", "git", "copied the whole environment"),
    )
    found = GuardJudge().of_trace(trace, NOBODY).findings
    assert [one.module for one in found] == ["git", "other", "app"]


def test_a_read_of_a_credential_is_a_finding_and_of_another_variable_none() -> None:
    reads = (EnvironmentRead("other", "API_KEY"), EnvironmentRead("service", "HOME"))
    trace = Trace(TRACE.modules, TRACE.imports, (), reads)
    verdict = GuardJudge().of_trace(trace, frozenset({"API_KEY"}))
    assert actions(verdict) == [("credential_read", GuardAction.EXCLUDE, "other")]
    assert "read API_KEY" in verdict.findings[0].sentence


def test_who_copies_the_environment_is_found_once_and_not_for_each_credential() -> None:
    hazard = Hazard("environ_copy", "git", "copied the whole environment")
    trace = Trace(TRACE.modules, TRACE.imports, (hazard,), (EnvironmentRead("git", "API_KEY"),))
    verdict = GuardJudge().of_trace(trace, frozenset({"API_KEY"}))
    assert [one.guard for one in verdict.findings] == ["environ_copy"]


def test_an_allowed_module_may_copy_the_environment_and_pins_it() -> None:
    hazard = Hazard("environ_copy", "git", "copied the whole environment")
    trace = Trace(TRACE.modules, TRACE.imports, (hazard,), (EnvironmentRead("git", "API_KEY"),))
    judge = GuardJudge(allowed=frozenset({"git"}))
    assert judge.of_trace(trace, frozenset({"API_KEY"})) == Verdict()
    assert judge.allowed_copies(trace) == ("git",)
    assert GuardJudge().allowed_copies(trace) == ()
    assert GuardJudge(allowed=frozenset({"git", "other"})).allowed_copies(trace) == ("git",)


def test_a_copy_names_the_command_that_allows_it() -> None:
    trace = with_hazards(
        Hazard("environ_copy", "git", "copied the whole environment"),
        Hazard("environ_copy", None, "copied the whole environment"),
        Hazard("arguments", "app", "used sys.argv"),
    )
    findings = GuardJudge(bundle="shop").of_trace(trace, NOBODY).findings
    told = {f.module: f.sentence for f in findings}
    assert "`roost set shop --snapshot-allow git` allows it" in str(told["git"])
    assert "--snapshot-allow" not in f"{told[None]}{told['app']}"


def test_an_allowed_module_is_still_excluded_for_what_else_it_does() -> None:
    trace = with_hazards(Hazard("python_thread", "git", "left a thread running: x"))
    verdict = GuardJudge(allowed=frozenset({"git"})).of_trace(trace, NOBODY)
    assert actions(verdict) == [("python_thread", GuardAction.EXCLUDE, "git")]


@pytest.mark.parametrize("guard", [g for g in Guard if g != Guard.PER_PROCESS_VALUE])
def test_a_problem_without_a_module_refuses_and_says_the_way_out(guard: Guard) -> None:
    verdict = GuardJudge().of_template(TRACE, report(Hazard(guard, None, "did it")))
    assert actions(verdict) == [(guard, GuardAction.REFUSE, None)]
    assert verdict.exclude == ()
    assert verdict.refusal is not None
    assert WAYS_OUT[guard] in verdict.refusal.sentence
    assert "cold starts" in verdict.refusal.sentence


@pytest.mark.parametrize("guard", ["python_thread", "open_descriptor", "output", "environ_changed"])
def test_what_a_named_module_left_in_a_template_excludes_it(guard: str) -> None:
    verdict = GuardJudge().of_template(TRACE, report(Hazard(guard, "service", "left it")))
    assert actions(verdict) == [(guard, GuardAction.EXCLUDE, "service")]
    assert verdict.exclude == ("service", "app")


@pytest.mark.parametrize(
    "guard", ["native_environ", "native_thread", "event_loop", "process_state"]
)
def test_what_leaving_a_module_out_may_not_cure_refuses_though_it_is_named(guard: str) -> None:
    verdict = GuardJudge().of_template(TRACE, report(Hazard(guard, "service", "did it")))
    assert actions(verdict) == [(guard, GuardAction.REFUSE, "service")]


def test_a_module_that_fails_when_loaded_early_refuses_with_its_words_in_one_line() -> None:
    failed = (("service", "RuntimeError: no\nconfiguration " + "x" * 500),)
    verdict = GuardJudge().of_template(TRACE, report(failed=failed))
    assert verdict.refusal is not None
    assert verdict.refusal.module == "service"
    assert "RuntimeError: no configuration" in verdict.refusal.sentence
    assert len(verdict.refusal.sentence) < 500


def test_what_reads_the_environment_below_python_is_refused_beside_an_allowed_copy() -> None:
    found = report(Hazard("native_environ", None, "left 2 copies of a credential in memory"))
    trace = with_hazards(Hazard("environ_copy", "git", "copied the whole environment"))
    assert GuardJudge(allowed=frozenset({"git"})).of_template(trace, found).refusal is not None


def test_values_of_each_process_exclude_own_modules_and_warn_of_others() -> None:
    first = TemplateReport(loaded=1, reprs={"other:ID": "1", "git.cmd:KEY": "1", "os:X": "1"})
    second = TemplateReport(loaded=1, reprs={"other:ID": "2", "git.cmd:KEY": "2", "os:X": "2"})
    verdict = GuardJudge(own_folder="/app").of_comparison(TRACE, first, second)
    assert actions(verdict) == [
        ("per_process_value", GuardAction.WARN, "os"),
        ("per_process_value", GuardAction.WARN, "git.cmd"),
        ("per_process_value", GuardAction.EXCLUDE, "other"),
    ]
    assert verdict.exclude == ("other", "app")


def test_packages_that_are_installed_below_the_own_folder_are_not_own() -> None:
    modules = (TracedModule("p", "/app/.venv/lib/python3.11/site-packages/p.py"),)
    first, second = (TemplateReport(loaded=1, reprs={"p:ID": one}) for one in "12")
    verdict = GuardJudge(own_folder="/app").of_comparison(Trace(modules), first, second)
    assert actions(verdict) == [("per_process_value", GuardAction.WARN, "p")]


def test_a_circle_of_imports_ends() -> None:
    modules = (TracedModule("a", None, "b"), TracedModule("b", None, "a"))
    trace = Trace(modules, (("a", "b"), ("b", "a")))
    assert Importers(trace).of("a") == ("b",)
    assert Importers(trace).closure(["b"]) == ("a", "b")


def test_every_guard_has_a_way_out() -> None:
    assert set(WAYS_OUT) == set(Guard)
