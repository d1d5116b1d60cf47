"""`load_module`: imports the module of a worker and says clearly why it does not load."""

from __future__ import annotations

import importlib
import os
import sys
import traceback

from roost.errors import RoostError

_ON_THE_WAY = ("roost.worker.", "importlib")
"""Modules whose frames only lead to the program's own code."""


class NotLoadable(Exception):
    """The module of a worker does not load; the traceback, if any, is its own."""

    def __init__(self, sentence: str, own_traceback: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.own_traceback = own_traceback


def load_module(name: str, directory: str) -> None:
    """Import a module, from its directory first, so that it declares its tasks.

    Raises:
        NotLoadable: there is no such module, or its code raised.
    """
    _put_first(os.path.abspath(directory))
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise _missing(name, directory, error) from error
    except (Exception, SystemExit) as error:
        raise NotLoadable(_sentence(name, error), _own_traceback(error)) from error


def _missing(name: str, directory: str, error: ModuleNotFoundError) -> NotLoadable:
    missing = error.name or ""
    if name != missing and not name.startswith(f"{missing}."):
        return NotLoadable(_sentence(name, error), _own_traceback(error))
    return NotLoadable(
        f"there is no module {missing!r} in {os.path.abspath(directory)} or among the installed "
        "packages; name the module with the tasks as in `roost add --worker MODULE "
        "--directory DIR`"
    )


def _sentence(name: str, error: BaseException) -> str:
    if isinstance(error, RoostError):
        return f"the module {name} declares what cannot be: {error.message}"
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"the module {name} does not load: {said}"


def _own_traceback(error: BaseException) -> str:
    found = error.__traceback__
    while found is not None and _is_on_the_way(found.tb_frame.f_globals.get("__name__")):
        found = found.tb_next
    return "".join(traceback.format_exception(type(error), error, found))


def _is_on_the_way(module: object) -> bool:
    return str(module).startswith(_ON_THE_WAY)


def _put_first(directory: str) -> None:
    """Let the module import its neighbours, as when it is run as a script.

    What ``-m`` put on the path, the working directory, goes: a script would not have it either.
    """
    if not sys.flags.safe_path and sys.path and sys.path[0] == os.getcwd():
        del sys.path[0]
    sys.path[:] = [directory, *(each for each in sys.path if each != directory)]
