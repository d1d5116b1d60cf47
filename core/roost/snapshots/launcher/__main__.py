"""Runs one mode of the launcher: ``launcher MODE SPEC_FD PADDING``.

The padding is not read: it makes room for the command line that a restored process shows. What is
started here ends through this module's return, so that the interpreter shuts down as usual.
"""

import os
import sys
import types

_PRIVATE = "_roost_launcher"

_VERSIONS = ((3, 11), (3, 12), (3, 13))
"""Of CPython. Others load and shut down in ways that nobody has looked at."""

_MODES = ("trace", "template", "standby")

_EX_CONFIG = 78
"""As sysexits.h has it: this interpreter, or this call, is none for the launcher."""


def _main():  # type: () -> None
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in _VERSIONS:
        _refuse("snapshots are made with CPython 3.11, 3.12 and 3.13, and this is another one")
    if len(sys.argv) < 3 or sys.argv[1] not in _MODES:
        _refuse("it is run by Roost only")
    # Deferred: none of it is run by an interpreter that was refused.
    import importlib

    mode, descriptor = sys.argv[1], int(sys.argv[2])
    _become_private()
    importlib.import_module(_PRIVATE + "." + mode).main(descriptor)


def _become_private():  # type: () -> None
    """Take this directory off the path and make its modules known under a private name."""
    home = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != home]
    package = types.ModuleType(_PRIVATE)
    package.__path__ = [home]
    sys.modules[_PRIVATE] = package


def _refuse(why):  # type: (str) -> None
    sys.stderr.write("the launcher of snapshots cannot run: " + why + "\n")
    sys.stderr.flush()
    os._exit(_EX_CONFIG)


if __name__ == "__main__":
    _main()
