"""Loads what a template holds, and keeps out of it what was excluded."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from . import watch


@dataclass
class Loaded:
    """What came of loading."""

    count: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    poisoned: list[str] = field(default_factory=list)
    took_s: float = 0.0


def set_paths(paths: Sequence[str], path0: str | None) -> None:
    """Make `sys.path` what it is in a plain start."""
    rest = list(paths) or list(sys.path)
    sys.path[:] = rest if path0 is None else [path0, *rest]


def load(names: Iterable[str], excluded: Iterable[str], entry: frozenset[str]) -> Loaded:
    """Import modules in their order; what fails is told and the rest goes on.

    Args:
        names: the modules.
        excluded: must not be loaded, until `checks.run` is done; what imports them is poisoned.
        entry: what runs as ``__main__``, and must not be loaded beside that.
    """
    loaded = Loaded()
    guard = watch.guard(list(excluded))
    began = time.perf_counter()
    for name in names:
        if name not in entry and name != "__main__":
            _load_one(name, loaded)
    loaded.took_s = time.perf_counter() - began
    loaded.poisoned = guard.poisoned
    return loaded


def _load_one(name: str, loaded: Loaded) -> None:
    if name in sys.modules:
        loaded.count += 1
        return
    try:
        importlib.import_module(name)
    except watch.ExcludedImport:
        return  # the guard has noted who wanted it
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - also SystemExit is the module's failure
        loaded.failed.append((name, f"{type(error).__name__}: {error}"))
    else:
        loaded.count += 1


def names_of_entry(kind: str, target: str) -> frozenset[str]:
    """Return the modules that the entry runs as ``__main__``, or loads in its own way."""
    if kind == "module":
        own = {f"{target}.__main__"}
        with suppress(ImportError, ValueError, AttributeError):
            spec = importlib.util.find_spec(target)
            if spec is not None and spec.submodule_search_locations is None:
                own.add(target)
        return frozenset(own)
    if kind == "app":
        return frozenset({"roost.app.__main__", *_app_module(target)})
    return frozenset()


def _app_module(target: str) -> set[str]:
    source = target.partition(":")[0]
    if source.endswith(".py") or os.sep in source:
        return {os.path.splitext(os.path.basename(source))[0]}
    return {source} if source else {"app", "main"}
