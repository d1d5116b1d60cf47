"""Imports an entry's module, and finds the app in it.

Every launcher comes through `load_entry`, and that through `load_module`, so one override reaches
all of them: whoever prepares modules in another way sets it, and clears it again.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from roost.errors import EntryFailed, EntryNotFound, RoostError
from roost.lifecycle.entry import Entry

T = TypeVar("T")

ModuleLoader = Callable[[Entry], ModuleType]
"""Imports the module of an entry."""

DEFAULT_ATTRIBUTE = "app"
"""What is taken without looking further, when it is what was wanted."""

_override: ModuleLoader | None = None


def set_module_loader(loader: ModuleLoader) -> None:
    """Import entries with this from now on; the last one set counts, in the whole process."""
    global _override  # one interpreter has one way of importing
    _override = loader


def clear_module_loader() -> None:
    """Import as usual again, however often a loader was set."""
    global _override
    _override = None


@contextmanager
def module_loader(loader: ModuleLoader | None) -> Iterator[None]:
    """Import entries with this inside the block, as before after it; None changes nothing."""
    global _override
    before = _override
    _override = loader or before
    try:
        yield
    finally:
        _override = before


def load_module(entry: Entry) -> ModuleType:
    """Import an entry's module, by the override where one is set.

    Its directory goes to the front of `sys.path`, as when a script is run; after an error the path
    is what it was.

    Raises:
        EntryNotFound: there is no such module.
        EntryFailed: the app's own code raised.
    """
    before = list(sys.path)
    try:
        return (_override or import_module)(entry)
    except BaseException as error:
        sys.path[:] = before
        if isinstance(error, RoostError) or not isinstance(error, Exception):
            raise
        raise EntryFailed(str(entry), error) from error


def load_entry(entry: Entry, wanted: type[T]) -> T:
    """Import an entry's module and return the app in it.

    Without an attribute, `app` is taken when it is one, or else the only one there is.

    Args:
        entry: where it is.
        wanted: the app's type.

    Raises:
        EntryNotFound: there is no such module or attribute, it is something else, or it is not
            clear which one is meant. The sentence names what was looked for and what is there.
        EntryFailed: the app's own code raised.
    """
    module = load_module(entry)
    apps = _apps_in(module, wanted)
    if entry.attribute:
        return _attribute(entry, module, wanted, apps)
    if DEFAULT_ATTRIBUTE in apps:
        return apps[DEFAULT_ATTRIBUTE]
    if not apps:
        raise EntryNotFound(
            f"{entry} has nothing of type {wanted.__name__}: looked for "
            f"{DEFAULT_ATTRIBUTE!r} and for any other name that holds one; "
            f'make one, such as app = {wanted.__name__}("name")',
            entry=str(entry),
        )
    if len(apps) > 1:
        names = " and ".join(repr(name) for name in sorted(apps))
        raise EntryNotFound(
            f"{entry} has more than one {wanted.__name__}, {names}; name the one to start, as in "
            f"{entry}:{min(apps)}",
            entry=str(entry),
        )
    return next(iter(apps.values()))


def import_module(entry: Entry) -> ModuleType:
    """Import an entry's module the usual way; a loader of one's own may end here.

    Raises:
        EntryNotFound: there is no such module.
    """
    if entry.path is not None:
        return _import_file(entry.path)
    _put_first(entry.directory)
    importlib.invalidate_caches()  # its files may be younger than what was seen of the directory
    try:
        return importlib.import_module(entry.module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if entry.module != missing and not entry.module.startswith(f"{missing}."):
            raise
        raise EntryNotFound(
            f"there is no module {missing!r} in {entry.directory} or among the installed packages; "
            f"correct the entry {str(entry)!r}, or give the app's directory",
            entry=str(entry),
        ) from error


def _import_file(path: Path) -> ModuleType:
    _put_first(path.parent)
    name = _module_name(path)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise EntryNotFound(f"{path} is no Python file; name one that ends in .py", path=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _module_name(path: Path) -> str:
    """Return the name by which the app's other modules import this file too, if it is free."""
    loaded = sys.modules.get(path.stem)
    file = getattr(loaded, "__file__", None)
    if loaded is None or (file is not None and Path(file).absolute() == path):
        return path.stem
    return f"{path.stem}@{path}"


def _put_first(directory: Path) -> None:
    """Let the app import its own modules, as when it is run as a script."""
    sys.path[:] = [str(directory), *(each for each in sys.path if each != str(directory))]


def _apps_in(module: ModuleType, wanted: type[T]) -> dict[str, T]:
    """Return the apps of a module by name; one that has two names counts once."""
    names: dict[int, tuple[str, T]] = {}
    for name, value in vars(module).items():
        is_first = id(value) not in names or name == DEFAULT_ATTRIBUTE
        if isinstance(value, wanted) and is_first:
            names[id(value)] = (name, value)
    return dict(names.values())


def _attribute(entry: Entry, module: ModuleType, wanted: type[T], apps: dict[str, T]) -> T:
    found: Any = module
    for name in entry.attribute.split("."):
        if not hasattr(found, name):
            there = ", ".join(repr(each) for each in sorted(apps)) or "none"
            raise EntryNotFound(
                f"{entry} names {name!r}, which is not there; of its names these are of "
                f"type {wanted.__name__}: {there}",
                entry=str(entry),
            )
        found = getattr(found, name)
    if not isinstance(found, wanted):
        raise EntryNotFound(
            f"{entry} is of type {type(found).__name__}, not {wanted.__name__}; name the "
            f"{wanted.__name__}",
            entry=str(entry),
        )
    return found
