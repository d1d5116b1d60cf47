"""Runs an app's entry as ``__main__``, as the interpreter itself would."""

from __future__ import annotations

import builtins
import io
import os
import runpy
import sys
import warnings
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any, NamedTuple

_HOME = os.path.dirname(os.path.abspath(__file__))


class Compiled(NamedTuple):
    """A script's code, made before its start."""

    path: str
    source: bytes
    code: CodeType

    @classmethod
    def ahead(cls, target: str) -> Compiled | None:
        """Compile a script; None where the start has to tell what is to be said about it."""
        path = _absolute(target)
        try:
            source = _read(path)
            with warnings.catch_warnings():
                # A plain start warns each time: whatever it says then, it is to say at each start.
                warnings.simplefilter("error")
                return cls(path, source, _compile(source, path))
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError, Warning):
            return None


def run(kind: str, target: str, compiled: Compiled | None = None) -> None:
    """Run a ``script`` by its path or a ``module`` by its name; `sys.argv` is set already.

    What the app raises goes on to the interpreter, without the launcher's frames.

    Args:
        kind: ``script`` or ``module``.
        target: the path or the name.
        compiled: the script's code, used when the script is that file and holds that source still.
    """
    main = fresh_main()
    try:
        if kind == "module":
            # The very function behind -m; what it adds to a traceback it adds there too.
            runpy._run_module_as_main(target)  # type: ignore[attr-defined]
        else:
            exec(_script(main, target, compiled), main.__dict__)  # noqa: S102 - the app itself
    except SystemExit:
        raise
    except BaseException as error:
        hide_frames(error)
        raise


def fresh_main() -> ModuleType:
    """Put an empty ``__main__`` where the launcher's is."""
    main = ModuleType("__main__")
    main.__dict__.update(__annotations__={}, __builtins__=builtins)
    sys.modules["__main__"] = main
    return main


def hide_frames(error: BaseException) -> None:
    """Have the interpreter print this exception as if the entry had been its own `__main__`.

    The hook that prints is replaced for that one call and is itself again before it prints: what
    runs at the interpreter's shutdown finds the app's.
    """
    print_error = sys.excepthook

    def hook(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
        sys.excepthook = print_error
        stripped = _without_launcher(trace)
        sys.last_traceback = stripped
        print_error(kind, value.with_traceback(stripped), stripped)

    sys.excepthook = hook


def _script(main: ModuleType, target: str, compiled: Compiled | None) -> CodeType:
    path = _absolute(target)
    main.__dict__["__file__"] = path
    main.__dict__["__cached__"] = None
    main.__loader__ = SourceFileLoader("__main__", path)
    source = _read(path)
    if compiled is not None and (compiled.path, compiled.source) == (path, source):
        return compiled.code
    return _compile(source, path)


def _read(path: str) -> bytes:
    with io.open_code(path) as file:
        return file.read()


def _compile(source: bytes, path: str) -> CodeType:
    code: Any = compile(source, path, "exec", dont_inherit=True)
    assert isinstance(code, CodeType)
    return code


def _absolute(target: str) -> str:
    """Return a script's path as the interpreter makes it absolute, which removes no ``..``."""
    if os.path.isabs(target):
        return target
    return os.path.join(os.getcwd(), target.removeprefix("./"))


def _without_launcher(trace: TracebackType | None) -> TracebackType | None:
    """Return what follows the launcher's frames; everything where nothing does."""
    after, current = None, trace
    while current is not None:
        if os.path.dirname(current.tb_frame.f_code.co_filename) == _HOME:
            after = current.tb_next
        current = current.tb_next
    return after or trace
