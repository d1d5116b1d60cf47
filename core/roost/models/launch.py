"""What a start needs once everything is resolved; made by bundles, used by supervision."""

from __future__ import annotations

from dataclasses import dataclass, field

from roost.models.definition import FieldValue


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """Facts of one start that a definition's templates may refer to."""

    home: str
    state_dir: str
    """Writable directory of the bundle: its working directory unless the definition has a root."""
    base_env: dict[str, str] = field(default_factory=dict)
    """The daemon's environment reduced to the allow-list."""
    prepared_dir: str | None = None
    """Private environment made by the prepare step."""
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """A resolved start. `env` may hold secrets and never leaves the daemon; `argv` never does."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    env_names: tuple[str, ...]
    """Names that the definition adds to the allow-list, sorted."""


@dataclass(frozen=True, slots=True)
class PrepareStep:
    """One command of the prepare step."""

    title: str
    """What it does, for the log and the screen: ``install mcp-server-time==2026.10.19``."""
    argv: tuple[str, ...]
    env: dict[str, str]


@dataclass(frozen=True, slots=True)
class PreparePlan:
    """How to make a bundle's private environment; published by one rename when all steps passed."""

    partial_dir: str
    """Where the steps build; removed first, and again on failure."""
    prepared_dir: str
    """Where `partial_dir` is moved to at the end; when it exists nothing has to be done."""
    steps: tuple[PrepareStep, ...]


@dataclass(frozen=True, slots=True)
class ResolvedCredentials:
    """The configured values of a bundle at one revision, in the clear. Never leaves the daemon."""

    revision: int
    values: dict[str, FieldValue]
    """Set fields and defaults."""
    secrets: tuple[str, ...]
    """Current and previous sensitive values, for scrubbing captured output."""
