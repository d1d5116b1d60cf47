"""Why a bundle is down: the ordered check and what it found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class WhyCheck(StrEnum):
    """What is looked at, in this order; the first that fails is the answer."""

    DEFINITION = "definition"
    RUNTIME = "runtime"
    INSTALL = "install"
    CREDENTIALS = "credentials"
    SPAWN = "spawn"
    HANDSHAKE = "handshake"
    TOOLS = "tools"
    PROBE = "probe"


class WhyStatus(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Not reached, because an earlier one failed, or not applicable to this kind of bundle."""


@dataclass(frozen=True, slots=True)
class WhyStep:
    """One check of a bundle."""

    check: WhyCheck
    status: WhyStatus
    said: str
    """What was found, in one sentence."""
    evidence: tuple[str, ...] = ()
    """What it was found from: last lines of stderr, paths, exit statuses; scrubbed."""
    way_out: str = ""
    """What to do next, with the command to type; empty when it passed."""
    action: str | None = None
    """Id of the action that mends it, where one key does."""


@dataclass(frozen=True, slots=True)
class WhyReport:
    """The ordered check of one bundle. Times are epoch milliseconds."""

    workspace: str
    bundle: str
    checked_at: int
    is_up: bool
    """Whether it runs, is not stale, and answered the probe just now."""
    sentence: str
    """The answer: the first failing check with its way out, or that nothing is wrong."""
    steps: tuple[WhyStep, ...]
    """Every check, in order."""
