"""Checks what Roost stands on, from outside the daemon as well as from within it.

Nothing here changes anything: no lock is taken, no file is made, and no daemon is started.
"""

from roost.doctor.examine import CHECKS, DEADLINE_S, Check, examine
from roost.doctor.surroundings import Surroundings

__all__ = ["CHECKS", "DEADLINE_S", "Check", "Surroundings", "examine"]
