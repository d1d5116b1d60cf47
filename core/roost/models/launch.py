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
    """A resolved start: it may hold secrets, of which none leaves the daemon.

    `argv` is empty for a server that runs somewhere else.
    """

    argv: tuple[str, ...] = field(repr=False)
    env: dict[str, str] = field(repr=False)
    cwd: str
    env_names: tuple[str, ...]
    """Names that the definition adds to the allow-list, sorted."""
    url: str | None = field(default=None, repr=False)
    """Where a server over HTTP answers; may hold a secret."""
    address: str | None = None
    """`url` as it may be shown: a sensitive field stands in it as its placeholder."""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    """Headers of every request to `url`."""
    shown_argv: tuple[str, ...] | None = None
    """`argv` as it may be shown, where the operator allowed secrets in it; None means it is the
    same."""

    @property
    def told_argv(self) -> tuple[str, ...]:
        """The argument vector for logs and screens."""
        return self.argv if self.shown_argv is None else self.shown_argv


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
