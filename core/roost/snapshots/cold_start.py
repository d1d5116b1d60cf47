"""`ColdStart`: a bundle's start without a snapshot, resolved, as the engine hands it over."""

from __future__ import annotations

from dataclasses import dataclass, field

from roost.models import Launch, Reason, SnapshotBackend


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Everything a snapshot may depend on. It holds credentials and never leaves the daemon."""

    workspace: str
    name: str
    version: str
    launch: Launch = field(repr=False)
    credentials: frozenset[str] = frozenset()
    """Names of variables that hold one; see `environment.credential_names`."""
    objection: Reason | None = None
    """Why it takes no part, whatever it starts."""
    how: SnapshotBackend | None = None
    """What is to make its snapshot; None leaves that to what it starts."""
    allowed: tuple[str, ...] = ()
    """Modules that may copy the whole environment while they are loaded, sorted."""
    wants_stdin: bool = False
    """Whether its process is spoken to on its standard input."""
    should_run: bool = True
    """Whether the bundle is wanted to run."""

    @property
    def key(self) -> tuple[str, str]:
        """Workspace and name."""
        return self.workspace, self.name
