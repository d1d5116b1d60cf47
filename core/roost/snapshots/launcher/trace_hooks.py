"""Sees threads, arguments, connections and programs that modules touch while they are imported."""

from __future__ import annotations

import _thread
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol

Report = Callable[[str, str], None]
"""Takes a guard's name and a part of a sentence; adds the module that executes, if one does."""


Tell = Callable[[tuple[Any, ...]], "tuple[str, str] | None"]
"""Takes the arguments of an audit event; returns the guard and the part of a sentence, if any."""


class Imports(Protocol):
    def innermost(self) -> str | None: ...


class ThreadsWatch:
    """Knows the threads that modules start and that still run when the module is done."""

    def __init__(self, imports: Imports) -> None:
        self._imports = imports
        self._running: dict[str, dict[int, str]] = {}
        self._number = 0

    def install(self) -> None:
        """Stand in all functions that start threads: from 3.13 on there are two."""
        module: Any = _thread
        threading: Any = sys.modules.get("threading")
        for name in ("start_new_thread", "start_new", "start_joinable_thread"):
            plain = getattr(module, name, None)
            if plain is None:
                continue
            wrapped = self._wrapped(plain)
            setattr(module, name, wrapped)
            # threading keeps names of its own, made when it is loaded.
            if threading is not None and hasattr(threading, f"_{name}"):
                setattr(threading, f"_{name}", wrapped)

    def end(self, module: str) -> list[str]:
        """Return the names of what a module started and did not wait for."""
        return sorted(self._running.pop(module, {}).values())

    def _wrapped(self, plain: Any) -> Any:
        def start(function: Any, *args: Any, **kwargs: Any) -> Any:
            module = self._imports.innermost()
            if module is None:
                return plain(function, *args, **kwargs)
            return plain(self._followed(module, function), *args, **kwargs)

        start.__name__ = plain.__name__
        return start

    def _followed(self, module: str, function: Any) -> Any:
        self._number += 1
        number = self._number
        owner = getattr(function, "__self__", None)
        running = self._running.setdefault(module, {})
        running[number] = str(getattr(owner, "name", None) or _name(function))

        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            finally:
                running.pop(number, None)

        return run


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))


class Arguments(list[str]):
    """The process's arguments, which tell when a module looks at them or changes them."""

    used: Callable[[], None]

    def __reduce_ex__(self, _protocol: object) -> tuple[type, tuple[list[str]]]:
        # Processes that are started from here get a plain list: they do not know this class.
        return list, (list.copy(self),)


def _telling(name: str) -> Any:
    plain = getattr(list, name)

    def method(self: Arguments, *args: Any, **kwargs: Any) -> Any:
        self.used()
        return plain(self, *args, **kwargs)

    method.__name__ = name
    return method


for _method in (
    *("__getitem__", "__iter__", "__len__", "__contains__", "__reversed__", "__eq__", "__add__"),
    *("copy", "count", "index", "append", "clear", "extend", "insert", "pop", "remove"),
    *("__setitem__", "__delitem__", "__iadd__"),
):
    setattr(Arguments, _method, _telling(_method))


class ArgumentsWatch:
    """Reports modules that use `sys.argv`, or put something else in its place."""

    def __init__(self, report: Report, imports: Imports) -> None:
        self._report = report
        self._imports = imports
        self._current: object = None

    def install(self) -> None:
        for name in ("argv", "orig_argv"):
            arguments = Arguments(getattr(sys, name))
            arguments.used = self._used(name)
            setattr(sys, name, arguments)

    def begin(self) -> None:
        """Note what is there before a module begins, so that only its own change counts."""
        if self._imports.innermost() is None:
            self._current = sys.argv
        else:
            self.end()

    def end(self) -> None:
        """Report the module that executes when it has replaced the arguments."""
        if sys.argv is not self._current:
            self._current = sys.argv
            self._report("arguments", "replaced sys.argv")

    def _used(self, name: str) -> Callable[[], None]:
        return lambda: self._report("arguments", f"used sys.{name}")


class AuditWatch:
    """The interpreter's audit hook: reports what modules do that leaves no trace in Python."""

    def __init__(self, report: Report, changed_environ: Callable[[tuple[Any, ...]], None]) -> None:
        """Keep whom to tell.

        Args:
            report: takes what is found.
            changed_environ: takes changes to the environment of the process itself.
        """
        self._report = report
        self._told: dict[str, Tell | Callable[[tuple[Any, ...]], None]] = {
            "socket.connect": lambda _: ("open_descriptor", "connected a socket"),
            "sqlite3.connect": lambda _: ("open_descriptor", "opened an SQLite database"),
            "os.chdir": lambda _: ("arguments", "changed the working directory"),
            "os.putenv": changed_environ,
            "os.unsetenv": changed_environ,
            "os.fork": lambda _: ("process_state", "forked"),
            "os.forkpty": lambda _: ("process_state", "forked"),
            "os.system": lambda _: ("environ_copy", "gave its environment to a command"),
            "os.posix_spawn": lambda args: _started(args[2]),
            "subprocess.Popen": lambda args: _started(args[3]),
            "open": _opened,
        }

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        tell = self._told.get(event)
        if tell is None:
            return
        found = tell(args)
        if found is not None:
            self._report(*found)


def _started(environment: object) -> tuple[str, str] | None:
    if environment is None or environment is os.environ:
        return "environ_copy", "gave its environment to a program"
    return None


def _opened(args: tuple[Any, ...]) -> tuple[str, str] | None:
    path = args[0]
    if isinstance(path, (str, bytes)):
        text = path if isinstance(path, str) else path.decode(errors="replace")
        if text.startswith("/proc/") and text.endswith("/environ"):
            return "native_environ", "read the environment from /proc"
    return None
