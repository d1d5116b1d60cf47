"""Ends of runs that the store did not take, kept in files so that they outlive the daemon."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from roost.models.codec import WireError, from_json, to_json
from roost.runs.values import FinalWrite

logger = logging.getLogger(__name__)


class KeptEndings:
    """One small private file for each end that is still to be written.

    Args:
        directory: made when the first file is needed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def save(self, write: FinalWrite) -> None:
        """Keep an end, where the disk allows; the caller has it in memory as well."""
        path = self._path(write.run_id)
        partial = path.with_suffix(".partial")
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(to_json(write))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            logger.warning("the end of run %s is kept in memory only: %s", write.run_id, error)

    def load(self) -> tuple[FinalWrite, ...]:
        """Return the ends kept by this daemon and earlier ones; a broken file is skipped."""
        writes = []
        for path in sorted(self._directory.glob("*.json")):
            try:
                writes.append(from_json(path.read_bytes(), FinalWrite))
            except (OSError, WireError) as error:
                logger.warning("the kept end of a run in %s cannot be read: %s", path, error)
        return tuple(writes)

    def drop(self, run_id: str) -> None:
        """Forget an end that has been written."""
        with contextlib.suppress(OSError):
            self._path(run_id).unlink(missing_ok=True)

    def _path(self, run_id: str) -> Path:
        return self._directory / f"{run_id}.json"
