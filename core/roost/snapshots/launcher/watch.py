"""Knows which module is executing and what it leaves behind, and keeps excluded modules out.

In a template: `install` before anything is imported, `guard` for the excluded modules, then the
imports, then `checks.run`, which takes everything away again. The trace uses the same stack.
The launcher's modules import each other by relative names: they run under a name of their own.
"""

from __future__ import annotations

import _frozen_importlib
import _thread
import sys
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from . import canary, facts

IMPORTLIB = "<frozen importlib._bootstrap>"
"""File of the import machinery: Python leaves its frames out of tracebacks and warnings."""

LEFT_OUT = "_call_with_frames_removed"
"""The function of the machinery with which the frames end that Python leaves out."""


class Imports:
    """The modules whose bodies run, by thread; tells a listener when one begins and ends."""

    def __init__(
        self,
        began: Callable[[str], object],
        ended: Callable[[Any, object, bool], None],
    ) -> None:
        """Keep the listeners.

        Args:
            began: called with the name; what it returns is given to `ended`.
            ended: called with the spec, that value, and whether the module was imported.
        """
        self._began = began
        self._ended = ended
        self._stacks: dict[int, list[str]] = {}
        self._machinery: Any = _frozen_importlib
        self._original = self._machinery._load_unlocked

    def stack(self) -> list[str]:
        """Return the modules that execute on this thread, outermost first."""
        return self._stacks.setdefault(_thread.get_ident(), [])

    def innermost(self) -> str | None:
        """Return the module whose body runs on this thread; None in the app's own time."""
        stack = self._stacks.get(_thread.get_ident())
        return stack[-1] if stack else None

    def install(self) -> None:
        self._machinery._load_unlocked = hidden(_make_load(self, self._original))

    def remove(self) -> None:
        self._machinery._load_unlocked = self._original

    def begin(self, name: str) -> object:
        stack = self.stack()
        value = self._began(name)
        stack.append(name)
        return value

    def end(self, spec: Any, value: object, is_imported: bool) -> None:
        stack = self.stack()
        self._ended(spec, value, is_imported)
        stack.pop()
        if not stack:
            del self._stacks[_thread.get_ident()]


def _make_load(imports: Imports, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def _load_unlocked(spec: Any) -> Any:
        value = imports.begin(spec.name)
        is_imported = False
        try:
            module = original(spec)
            is_imported = True
        finally:
            imports.end(spec, value, is_imported)
        return module

    return _load_unlocked


def hidden(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that tracebacks and warnings take for a part of the import machinery."""
    assert isinstance(function, FunctionType)
    code: CodeType = function.__code__.replace(co_filename=IMPORTLIB, co_name=LEFT_OUT)
    function.__code__ = code
    return function


class ExcludedImport(BaseException):
    """An excluded module was to be loaded; no `except Exception` of an app hides it."""


class ImportGuard:
    """First finder of modules: ends every import of an excluded one and notes who wanted it."""

    def __init__(self, exclude: frozenset[str], imports: Imports) -> None:
        self._exclude = exclude
        self._imports = imports
        self.poisoned: list[str] = []
        """Modules that were executing when an excluded one was to be loaded."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Return nothing, so that the next finder is asked.

        Raises:
            ExcludedImport: the module is to be loaded. Asking where it is does no harm.
        """
        if name not in self._exclude or not _is_load():
            return
        for wanting in self._imports.stack():
            if wanting not in self.poisoned:
                self.poisoned.append(wanting)
        raise ExcludedImport(name)

    def remove(self) -> None:
        """Let the excluded modules be imported: from now on they are left to each start."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


def _is_load() -> bool:
    # Two frames up from find_spec: importlib.util.find_spec or the import itself.
    return sys._getframe(3).f_code.co_name == "_find_and_load_unlocked"


class Watch:
    """What a template knows about itself while it is loaded."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.output = facts.Output()
        self.baseline = facts.State.now()
        self.claimed: dict[facts.Fact, str] = {}
        self.imports = Imports(self._began, self._ended)
        self.guard: ImportGuard | None = None
        self.excluded_too_late: tuple[str, ...] = ()
        wanted = spec.get("canary")
        self.hidden: facts.HiddenVariables | None = None
        if spec.get("environ_copied"):
            self.hidden = facts.HiddenVariables(wanted["value"] if wanted else None)
        # The very bytes of os.environ and before the canary, which would find a copy of them.
        self.environ = facts.environ()
        self.canary = canary.Canary(wanted["value"]) if wanted else None

    def facts(self) -> frozenset[facts.Fact]:
        return facts.process_facts() | self.output.facts()

    def module_of(self, kind: str, value: object = None) -> str | None:
        """Return the module that left something behind, where it was seen."""
        for fact, module in self.claimed.items():
            if fact[0] == kind and value in (None, fact[1]):
                return module
        return None

    def remove(self) -> None:
        """Take everything away that is not to be in a template."""
        self.imports.remove()
        if self.guard is not None:
            self.guard.remove()
        self.output.restore()
        if self.hidden is not None:
            self.hidden.show()

    def _began(self, _name: str) -> object:
        return self.facts()

    def _ended(self, spec: Any, before: object, _is_imported: bool) -> None:
        assert isinstance(before, frozenset)
        facts.claim(self.claimed, spec.name, before, self.facts())


class _Place:
    watch: Watch | None = None


def install(spec: dict[str, Any] | None = None) -> Watch:
    """Begin to watch this process, which is to become a template; before it imports anything.

    Args:
        spec: of the template; the value of its `canary` is searched for in
            what is there already.
    """
    _Place.watch = Watch(spec or {})
    _Place.watch.imports.install()
    return _Place.watch


def current() -> Watch:
    """Return what `install` began."""
    assert _Place.watch is not None, "watch.install() comes first"
    return _Place.watch


def guard(exclude: list[str]) -> ImportGuard:
    """Keep modules out of this template until `checks.run` is done.

    Returns:
        The guard; its `poisoned` tells who wanted them.
    """
    watch = current()
    watch.guard = ImportGuard(frozenset(exclude), watch.imports)
    watch.excluded_too_late = tuple(name for name in exclude if name in sys.modules)
    sys.meta_path.insert(0, watch.guard)
    return watch.guard
