"""Who depends on a module, by what a trace saw being imported."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from roost.snapshots.backend import Trace


class Importers:
    """Answers, for one trace, which modules cannot be loaded without another."""

    def __init__(self, trace: Trace) -> None:
        self._order = {module.name: at for at, module in enumerate(trace.modules)}
        self._dependent: defaultdict[str, set[str]] = defaultdict(set)
        for by, name in trace.imports:
            self._dependent[name].add(by)
        for module in trace.modules:
            if module.parent is not None:
                self._dependent[module.name].add(module.parent)
            package = module.name.rpartition(".")[0]
            if package:
                # A submodule is not loaded without its package.
                self._dependent[package].add(module.name)

    def of(self, module: str) -> tuple[str, ...]:
        """Return everything that needs a module, directly or through others, leaves first."""
        return tuple(name for name in self.closure([module]) if name != module)

    def closure(self, modules: Iterable[str]) -> tuple[str, ...]:
        """Return modules with everything that needs them, leaves first."""
        waiting = list(modules)
        found: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(self._dependent[name])
        return tuple(
            sorted(found, key=lambda name: (self._order.get(name, len(self._order)), name))
        )
