"""Points the scripts of a virtual environment at the place it will be moved to.

Run as a program by the prepare step: ``python -I relocate.py PARTIAL FINAL``. It needs the standard
library only. Console scripts and `activate` name the environment by its absolute path; the
interpreter itself finds its environment from where it lies.
"""

from __future__ import annotations

import os
import stat
import sys


def relocate(environment: str, final: str) -> int:
    """Replace the path of `environment` by `final` in its scripts.

    Returns:
        How many files were changed.
    """
    places = [os.path.join(environment, "pyvenv.cfg")]
    binaries = os.path.join(environment, "bin")
    places += [os.path.join(binaries, name) for name in sorted(os.listdir(binaries))]
    return sum(_rewrite(path, os.fsencode(environment), os.fsencode(final)) for path in places)


def _rewrite(path: str, before: bytes, after: bytes) -> bool:
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        return False
    with open(path, "rb") as file:
        content = file.read()
    is_program_image = b"\0" in content[:4096]
    if is_program_image or before not in content:
        return False
    # A new file, because installers may have linked this one into their cache.
    draft = path + ".relocated"
    with open(draft, "wb") as file:
        file.write(content.replace(before, after))
    os.chmod(draft, stat.S_IMODE(found.st_mode))
    os.replace(draft, path)
    return True


if __name__ == "__main__":
    relocate(sys.argv[1], sys.argv[2])
