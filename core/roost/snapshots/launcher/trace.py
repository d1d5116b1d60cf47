"""Runs an app as a plain start would, and writes down what it imports and what it does meanwhile.

Only what happens while the body of an imported module executes counts: a template imports exactly
those modules. What the script itself, or a function it calls, does later happens in each start as
it always did. Written are names, never values; the daemon ends this process once the app is ready.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
from types import ModuleType
from typing import Any

from . import facts, program
from .trace_environ import EnvironWatch
from .trace_hooks import ArgumentsWatch, AuditWatch, ThreadsWatch
from .watch import Imports, hidden

APP_MODULE = "roost.app"
"""What runs the apps written with Roost's SDK."""

EXCLUDABLE_FACTS = {
    "descriptor": "open_descriptor",
    "signal": "process_state",
    "timer": "process_state",
    "loop": "event_loop",
}


class Journal:
    """The file of the trace: one JSON object a line, each line written whole."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._process = os.getpid()
        self._lines: list[str] = []
        self._seen: set[tuple[str, str, str]] = set()

    def add(self, **entry: object) -> None:
        self._lines.append(json.dumps(entry))

    def hazard(self, guard: str, module: str, what: str) -> None:
        """Write down a hazard, the first time it happens."""
        if (guard, module, what) not in self._seen:
            self._seen.add((guard, module, what))
            self.add(ev="hazard", guard=guard, module=module, what=what)
            self.flush()

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        if not lines or os.getpid() != self._process:
            # What the app forks has modules of its own, which no start of the app itself loads.
            return
        content = "".join(line + "\n" for line in lines).encode("ascii")
        try:
            while content:
                content = content[os.write(self._descriptor, content) :]
        except OSError:
            # A full disk makes the trace end early; the app is not to notice.
            return


class Tracer:
    """Follows the imports of this process."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.imports = Imports(self._began, self._ended)
        self._edges: dict[str, set[str]] = {}
        self._claimed: dict[facts.Fact, str] = {}
        self._is_blind = False
        self._threads = ThreadsWatch(self.imports)
        self._arguments = ArgumentsWatch(self._hazard, self.imports)
        self._environ = EnvironWatch(journal, self.imports)
        self._audit = AuditWatch(self._hazard, self._environ.changed_below)

    def install(self) -> None:
        self._threads.install()
        self._arguments.install()
        self._environ.install()
        self.imports.install()
        self._watch_statements()
        # Last: it cannot be taken away, and the rest need not be heard.
        sys.addaudithook(self._audit)

    def _hazard(self, guard: str, what: str) -> None:
        module = self.imports.innermost()
        if module is not None:
            self.journal.hazard(guard, module, what)

    def _began(self, name: str) -> object:
        parent = self.imports.innermost()
        self._arguments.begin()
        return parent, self._facts(), self._environ.begin()

    def _ended(self, spec: Any, value: Any, is_imported: bool) -> None:
        parent, before, environ = value
        name = spec.name
        for kind, _ in facts.claim(self._claimed, name, before, self._facts()):
            self._hazard(EXCLUDABLE_FACTS[kind], _LEFT[kind])
        for label in self._threads.end(name):
            self._hazard("python_thread", f"left a thread running: {label}")
        self._arguments.end()
        self._environ.end(name, environ)
        if is_imported:
            file = spec.origin if spec.has_location else None
            self.journal.add(ev="module", name=name, file=file, parent=parent)
        names = sorted(self._edges.pop(name, ()))
        if names:
            self.journal.add(ev="imports", by=name, names=names)
        self.journal.flush()

    def _facts(self) -> frozenset[facts.Fact]:
        try:
            found = facts.process_facts()
        except OSError:
            # An app that has used up its descriptors is not to fail because it is looked at.
            self._is_blind = True
        if self._is_blind:
            return frozenset()
        # Beside other threads it is not known who opened a descriptor; the template tells then.
        is_alone = not facts.python_threads()
        return frozenset(
            fact
            for fact in found
            if fact[0] in EXCLUDABLE_FACTS and (is_alone or fact[0] != "descriptor")
        )

    def _watch_statements(self) -> None:
        """See the imports of what is loaded already, which the import system does not load."""
        original = builtins.__import__

        def __import__(
            name: str,
            globals: Any = None,
            locals: Any = None,
            fromlist: Any = (),
            level: int = 0,
        ) -> ModuleType:
            module = original(name, globals, locals, fromlist, level)
            by = self.imports.innermost()
            if by is not None:
                self._note(by, _absolute(name, globals, level), fromlist or ())
            return module

        builtins.__import__ = hidden(__import__)

    def _note(self, by: str, name: str, fromlist: Any) -> None:
        edges = self._edges.setdefault(by, set())
        edges.add(name)
        for item in fromlist:
            inner = f"{name}.{item}"
            if inner in sys.modules:
                edges.add(inner)


_LEFT = {
    "descriptor": "left a descriptor open",
    "signal": "set a signal handler",
    "timer": "started an interval timer",
    "loop": "set an event loop for the thread",
}


def _absolute(name: str, space: Any, level: int) -> str:
    if not level or not space:
        return name
    package = space.get("__package__")
    if package is None:
        own = space.get("__name__", "")
        package = own if "__path__" in space else own.rpartition(".")[0]
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{name}" if name else str(base)


def main(descriptor: int) -> None:
    """Run the app that the spec in a descriptor names; returns or raises as the app does."""
    with open(descriptor, "rb") as file:
        file.seek(0)
        spec = json.loads(file.read())
    _become_plain(spec)
    tracer = Tracer(Journal(spec["trace_fd"]))
    os.set_inheritable(spec["trace_fd"], False)
    tracer.install()
    if spec["kind"] == "app":
        program.run("module", APP_MODULE)
    else:
        program.run(spec["kind"], spec["target"])


def _become_plain(spec: dict[str, Any]) -> None:
    """Give the process the arguments, path and main module of a plain start."""
    is_script = spec["kind"] == "script"
    target = spec["target"] if spec["kind"] != "app" else APP_MODULE
    flags = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv)]
    words = [target] if is_script else ["-m", target]
    sys.orig_argv = [*flags, *words, *spec["argv"]]
    sys.argv = [target if is_script else "-m", *spec["argv"]]
    if not sys.flags.safe_path:
        folder = os.path.dirname(os.path.realpath(target)) if is_script else os.getcwd()
        sys.path.insert(0, folder)
