"""What an unexpected error of the command line leaves behind: a private file without values."""

from __future__ import annotations

import os
import time

from roost.client.crash_text import crash_text


def write_crash_file(error: BaseException, data_dir: str) -> str:
    """Write where an error came from and return the file's path.

    The file names error types, files, lines and functions. It holds neither local variables nor
    messages, either of which could hold a credential.

    Raises:
        OSError: the file cannot be written.
    """
    directory = os.path.join(data_dir, "crashes")
    os.makedirs(data_dir, mode=0o700, exist_ok=True)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    name = time.strftime(f"cli-%Y%m%d-%H%M%S-{os.getpid()}.txt", time.gmtime())
    path = os.path.join(directory, name)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(crash_text(error))
    return path
