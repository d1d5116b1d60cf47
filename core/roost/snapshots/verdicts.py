"""Turns what a trace and a template told into findings: refused, excluded with importers, warned.

Pure: the same input gives the same findings in the same order, that of the traced modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from roost.models.snapshot import GuardAction, GuardFinding
from roost.snapshots.backend import Hazard, TemplateReport, Trace, TracedModule, Verdict
from roost.snapshots.compare import differences
from roost.snapshots.guards import WAYS_OUT, Guard, action_in_template
from roost.snapshots.importers import Importers

THIRD_PARTY_FOLDERS = frozenset({"site-packages", "dist-packages"})

LONGEST_ERROR = 200
"""Characters of a module's own words about why it failed."""


@dataclass(frozen=True, slots=True)
class GuardJudge:
    """Says what may not be in a template."""

    own_folder: str | None = None
    """The bundle's own files are below it; what is installed as a package is not its own."""
    allowed: frozenset[str] = frozenset()
    """Modules that an operator allows to copy the environment, which is pinned as a whole then."""
    bundle: str = "NAME"
    """For the way out."""

    def of_trace(self, trace: Trace, credential_names: frozenset[str]) -> Verdict:
        """Judge what happened in the traced start: everything there is excluded.

        Args:
            trace: what happened.
            credential_names: variables that hold a credential.
        """
        hazards = [*self._hazards(trace), *self._credentials(trace, credential_names)]
        return self._verdict(trace, [(hazard, _trace_action(hazard)) for hazard in hazards])

    def of_template(self, trace: Trace, report: TemplateReport) -> Verdict:
        """Judge what is in a loaded template that has no poisoned modules."""
        found = [
            (problem, action_in_template(Guard(problem.guard), problem.module))
            for problem in report.problems
        ]
        for module, error in report.failed:
            what = f"failed when it was imported before the app: {_one_line(error)}"
            found.append((Hazard(Guard.IMPORT_FAILED, module, what), GuardAction.REFUSE))
        return self._verdict(trace, found)

    def of_comparison(self, trace: Trace, first: TemplateReport, second: TemplateReport) -> Verdict:
        """Judge what differs between two templates of the same plan."""
        files = {module.name: module for module in trace.modules}
        found = [
            (
                Hazard(Guard.PER_PROCESS_VALUE, one.module, one.what),
                GuardAction.EXCLUDE if self._is_own(files.get(one.module)) else GuardAction.WARN,
            )
            for one in differences(first.reprs, second.reprs)
        ]
        return self._verdict(trace, found)

    def allowed_copies(self, trace: Trace) -> tuple[str, ...]:
        """Return the modules that copied the whole environment and were allowed to, sorted."""
        copying = {hazard.module for hazard in trace.hazards if _is_copy(hazard)}
        return tuple(sorted(self.allowed & copying))

    def _hazards(self, trace: Trace) -> Iterator[Hazard]:
        for hazard in trace.hazards:
            if not (_is_copy(hazard) and hazard.module in self.allowed):
                yield hazard

    def _credentials(self, trace: Trace, names: frozenset[str]) -> Iterator[Hazard]:
        # Who copies everything reads each of them too, and is found for that.
        copying = {hazard.module for hazard in trace.hazards if _is_copy(hazard)}
        for read in trace.environment:
            if read.name in names and read.module not in copying:
                yield Hazard(Guard.CREDENTIAL_READ, read.module, f"read {read.name}")

    def _verdict(self, trace: Trace, found: Iterable[tuple[Hazard, GuardAction]]) -> Verdict:
        order = {module.name: at for at, module in enumerate(trace.modules)}
        importers = Importers(trace)
        ordered = sorted(found, key=lambda one: order.get(one[0].module or "", len(order)))
        findings = tuple(self._finding(hazard, action, importers) for hazard, action in ordered)
        doing = [f.module for f in findings if f.action is GuardAction.EXCLUDE and f.module]
        return Verdict(findings, importers.closure(doing))

    def _finding(self, hazard: Hazard, action: GuardAction, importers: Importers) -> GuardFinding:
        guard = Guard(hazard.guard)
        needing: tuple[str, ...] = ()
        if action is GuardAction.EXCLUDE and hazard.module is not None:
            needing = importers.of(hazard.module)
        sentence = _sentence(guard, action, hazard, len(needing))
        if _is_copy(hazard) and hazard.module is not None:
            sentence += (
                f"; if it needs no credential then, `roost set {self.bundle} --snapshot-allow "
                f"{hazard.module}` allows it"
            )
        return GuardFinding(guard, action, sentence, hazard.module, needing)

    def _is_own(self, module: TracedModule | None) -> bool:
        if module is None or module.file is None or self.own_folder is None:
            return False
        path = PurePath(module.file)
        if not path.is_relative_to(self.own_folder):
            return False
        return not THIRD_PARTY_FOLDERS.intersection(path.parts)


def _trace_action(hazard: Hazard) -> GuardAction:
    return GuardAction.REFUSE if hazard.module is None else GuardAction.EXCLUDE


def _is_copy(hazard: Hazard) -> bool:
    return hazard.guard == Guard.ENVIRON_COPY


def _sentence(guard: Guard, action: GuardAction, hazard: Hazard, importers: int) -> str:
    who = f"`{hazard.module}`" if hazard.module else "a module that cannot be named"
    told = f"{who} {hazard.what} while it was imported"
    if guard is Guard.IMPORT_FAILED:
        told = f"{who} {hazard.what}"
    match action:
        case GuardAction.EXCLUDE:
            beside = f", with {importers} that need it" if importers else ""
            told += f"; it is loaded at each start instead{beside}"
            return f"{told}: to have it prepared, {WAYS_OUT[guard]}"
        case GuardAction.WARN:
            return f"{told}; processes restored from one template share them: {WAYS_OUT[guard]}"
        case GuardAction.REFUSE:
            return f"{told}: {WAYS_OUT[guard]}, or leave the bundle to cold starts"


def _one_line(error: str) -> str:
    words = " ".join(error.split())
    return words if len(words) <= LONGEST_ERROR else words[: LONGEST_ERROR - 1] + "…"
