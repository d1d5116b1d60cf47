"""What is left of a fatal error: one sentence on the screen and a private file without values."""

from __future__ import annotations

import os
import time
from pathlib import Path

from roost.client.crash_text import crash_text


def write_report(error: BaseException, directory: Path, now_ms: int) -> Path:
    """Write where the error came from to a file that only its owner can read.

    The report names files, lines and functions. It holds neither local variables nor the error's
    own message, either of which could hold a credential.

    Raises:
        OSError: the file cannot be written.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_ms / 1000))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"screen-crash-{stamp}-{os.getpid()}.txt"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(crash_text(error))
    return path


def sentence(error: BaseException, path: Path | None) -> str:
    """Return what the operator reads when the screen had to end."""
    what = f"roost: the screen ended because of an internal error ({type(error).__name__})."
    rest = "The daemon, its bundles and runs go on; run `roost` again."
    return f"{what} {rest}" if path is None else f"{what} {rest} Where it happened: {path}"
