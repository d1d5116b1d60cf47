"""Checks what Roost stands on, from outside the daemon as well as from within it.

Nothing here changes anything: no lock is taken, no file is made, and no daemon is started. The
checks are loaded on first use, because every daemon asks programs by `roost.doctor.ask_program`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roost.doctor.examination import CHECKS, DEADLINE_S, Check, examine
    from roost.doctor.surroundings import Surroundings

__all__ = ["CHECKS", "DEADLINE_S", "Check", "Surroundings", "examine"]


def __getattr__(name: str) -> Any:
    if name == "Surroundings":
        from roost.doctor.surroundings import Surroundings

        return Surroundings
    if name in __all__:
        from roost.doctor import examination

        return getattr(examination, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
