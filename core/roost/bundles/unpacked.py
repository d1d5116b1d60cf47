"""`BundleFolders`: the directories in which unpacked bundles lie."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from roost.errors import StoreUnavailable

_PARTIAL_SUFFIX = ".partial"

_PUBLISH_TRIES = 20
"""Each lost try means that a removal took the empty parent away in between."""


@dataclass(frozen=True, slots=True)
class BundleFolders:
    """Each install lies in a directory of its own: ``<root>/<workspace>/<name>/<version>-…``.

    No two installs share files, so an install that loses a race and a removal take away what is
    theirs and nothing else.
    """

    root: Path

    def new_dir(self, workspace: str, name: str, version: str, sha256: str) -> Path:
        """Return where one install of this content will lie."""
        return self.root / workspace / name / f"{version}-{sha256[:12]}-{token_hex(4)}"

    @contextmanager
    def partial(self) -> Iterator[Path]:
        """Yield a path for unpacking; what is still there at the end is removed.

        Raises:
            StoreUnavailable: the data directory takes no new directory.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            parent = Path(tempfile.mkdtemp(prefix=".", suffix=_PARTIAL_SUFFIX, dir=self.root))
        except OSError as error:
            raise _no_room(self.root, error) from error
        try:
            yield parent / "bundle"
        finally:
            shutil.rmtree(parent, ignore_errors=True)

    def publish(self, partial: Path, final: Path) -> None:
        """Move an unpacked bundle to its place by one rename.

        Raises:
            StoreUnavailable: the data directory takes no new directory.
        """
        for tries_left in reversed(range(_PUBLISH_TRIES)):
            try:
                final.parent.mkdir(parents=True, exist_ok=True)
                os.rename(partial, final)
                return
            except FileNotFoundError as error:
                if tries_left == 0:
                    raise _no_room(final, error) from error
            except OSError as error:
                raise _no_room(final, error) from error

    def discard(self, final: Path) -> None:
        """Remove one install, and the directories above it that are empty then."""
        shutil.rmtree(final, ignore_errors=True)
        with suppress(OSError):  # another install lies there
            final.parent.rmdir()
            final.parent.parent.rmdir()

    def remove_strays(self, kept: Iterable[str]) -> None:
        """Remove every install that no kept version lies in; called before any can be under way.

        Args:
            kept: absolute paths of the installs to leave.
        """
        wanted = {os.path.normpath(path) for path in kept}
        for path in sorted(self.root.glob("*/*/*")):
            if os.path.normpath(path) not in wanted:
                self.discard(path)

    def remove_partials(self) -> None:
        """Remove what an interrupted install left; called before any install can be under way."""
        if self.root.is_dir():
            for path in self.root.glob(f".*{_PARTIAL_SUFFIX}"):
                shutil.rmtree(path, ignore_errors=True)


def _no_room(path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"{path} cannot be made: {error.strerror or error}; check the free space and the "
        "permissions of the data directory"
    )
