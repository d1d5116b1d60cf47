"""`Surroundings`: what every check looks at, read once for all of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from roost.doctor.openers import Opener, find_openers
from roost.errors import BadConfigFile
from roost.settings.daemon_settings import DaemonSettings, read_settings

T = TypeVar("T")

DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where programs are looked for without a PATH, by the daemon too."""

NOT_THERE = (FileNotFoundError, NotADirectoryError)
"""How a path is missing: it, or a directory above it."""

_KEPT = frozenset(
    {"HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TMPDIR", "XDG_CACHE_HOME"}
)


class Shared(Generic[T]):
    """A value that several checks need and the first of them makes.

    Args:
        make: makes it; when it raises, the next caller tries again.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()  # guards _values
        self._values: list[T] = []

    def __call__(self) -> T:
        with self._lock:
            if not self._values:
                self._values.append(self._make())
            return self._values[0]


class Surroundings:
    """One data directory as one process sees it.

    Args:
        data_dir: the data directory, which need not exist.
        environ: the environment of who looks; its PATH decides which programs are found.
        running: the settings this process runs with, when it is the daemon itself.
    """

    def __init__(
        self,
        data_dir: str | Path,
        environ: Mapping[str, str],
        *,
        running: DaemonSettings | None = None,
    ) -> None:
        self.data_dir = Path(data_dir)
        self.running = running
        self.uid = os.geteuid()
        self.search_path = environ.get("PATH") or DEFAULT_PATH
        self.program_environ = {name: environ[name] for name in _KEPT if name in environ} | {
            "PATH": self.search_path
        }
        """For programs that are asked for their version; without anything of the daemon's own."""
        self.settings: Shared[DaemonSettings | BadConfigFile] = Shared(self._read_settings)
        self.openers: Shared[tuple[Opener, ...]] = Shared(lambda: find_openers(self.data_dir))

    @property
    def is_daemon(self) -> bool:
        """Whether the process that looks owns the data directory."""
        return self.running is not None

    @property
    def database(self) -> Path:
        return self.data_dir / "roost.db"

    @property
    def write_ahead_log(self) -> Path:
        return self.data_dir / "roost.db-wal"

    @property
    def lock(self) -> Path:
        return self.data_dir / "daemon.lock"

    @property
    def key_file(self) -> Path:
        return self.data_dir / "keys" / "vault.key"

    @property
    def key_marker(self) -> Path:
        """Is there when the key is in the keyring of the system."""
        return self.data_dir / "keys" / "vault.keyring"

    def used_settings(self) -> DaemonSettings | None:
        """Return the settings that count, or None when they cannot be read."""
        read = self.running or self.settings()
        return None if isinstance(read, BadConfigFile) else read

    def nearest(self) -> Path:
        """Return the data directory, or the closest one above it that exists."""
        places = (self.data_dir, *self.data_dir.parents)
        return next((place for place in places if place.exists()), Path("/"))

    def _read_settings(self) -> DaemonSettings | BadConfigFile:
        try:
            return read_settings({"data_dir": self.data_dir})
        except BadConfigFile as error:
            return error
