"""Roost's own apps: loaded as metadata, and started where their boot then goes on.

``python -m roost.app ENTRY`` imports the app and boots it. A template does the first part and the
``load`` of its components; what is restored from it goes on at `config_did_load`. The package is
the one that the bundle's interpreter finds: this module imports nothing before it is asked to.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

from . import program

PACKAGE = "roost.app"


class SdkApp:
    """An app that is loaded and not started.

    Args:
        target: the entry as the SDK's own launcher takes it; empty to ask the app's own files, in
            the working directory.
    """

    def __init__(self, target: str) -> None:
        entry = importlib.import_module("roost.lifecycle.entry").resolve_entry(target or None, ".")
        self._word = str(entry.path or entry.module)
        sys.argv[:] = [self._word]
        snapshot = importlib.import_module(f"{PACKAGE}.snapshot")
        self._app: Any = snapshot.load_for_snapshot(target or None, ".")

    def freeze(self) -> None:
        """Run the app's `before_snapshot` hooks."""
        self._app.freeze()

    def run(self, announce: Callable[[], None]) -> int:
        """Go on with the boot and serve; return the exit status.

        Args:
            announce: called when the app's `after_restore` hooks have run.
        """
        sys.argv[:] = [self._word]
        _become_main()
        # The last of the components, so that its hook follows all others.
        self._app.lifecycle.add("snapshot", None, after_restore=announce)
        status: int = self._app.restore()
        return status


def _become_main() -> None:
    """Have a ``__main__`` like that of ``python -m roost.app``."""
    spec = importlib.util.find_spec(f"{PACKAGE}.__main__")
    main = program.fresh_main()
    if spec is not None:
        main.__spec__, main.__loader__ = spec, spec.loader
        main.__file__, main.__package__ = spec.origin, PACKAGE
        main.__dict__["__cached__"] = spec.cached
