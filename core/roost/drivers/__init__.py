"""How processes are started, watched and stopped, behind one interface.

`LocalDriver` and `Watchdog` are loaded on first use: the watchdog's own program imports this
package too and must stay small.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; the watchdog does without typing
if TYPE_CHECKING:
    from typing import Any

    from roost.drivers.local import LocalDriver
    from roost.drivers.watchdog import Watchdog

__all__ = ["LocalDriver", "Watchdog"]


def __getattr__(name: str) -> Any:
    if name == "LocalDriver":
        from roost.drivers.local import LocalDriver

        return LocalDriver
    if name == "Watchdog":
        from roost.drivers.watchdog import Watchdog

        return Watchdog
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
