"""`Environment`: what an app knows of the process it runs in, read anew at every start."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from roost.lifecycle import Notifier

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Environment:
    """The variables and the supervisor of one start.

    It is a component: it reads at `config_did_load`, which follows a restore too, and holds nothing
    before, so that no variable of the process that builds a snapshot gets into it.

    Args:
        is_ready: whether the app is ready; guards what claims that it is.
    """

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        self._is_ready = is_ready
        self.variables = _NOTHING
        self.notifier = Notifier(_NOTHING, is_ready)

    def config_did_load(self) -> None:
        """Read the process's environment."""
        self.variables = MappingProxyType(dict(os.environ))
        self.notifier = Notifier(self.variables, self._is_ready)

    def forget(self) -> None:
        """Hold nothing: another start begins."""
        self.variables = _NOTHING
        self.notifier = Notifier(_NOTHING, self._is_ready)


def replace_environment(environ: Mapping[str, str]) -> None:
    """Make these the process's variables, all of them and no other."""
    fresh = dict(environ)
    os.environ.clear()
    os.environ.update(fresh)
    time.tzset()  # the C library keeps the zone it once read
