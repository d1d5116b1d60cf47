"""Copies a project into its prepared place, so that nothing is written where it was unpacked.

Run as a program by the prepare step: ``python -I project_copy.py PROJECT COPY``. It needs the
standard library only.
"""

from __future__ import annotations

import os
import shutil
import sys

LEFT_OUT = frozenset({".git", ".venv", "venv", "__pycache__", "node_modules"})
"""Directories that installers make, or do not look at."""


def copy_project(project: str, copy: str) -> int:
    """Copy the plain files of a project, writable whatever the modes of the originals.

    Returns:
        How many files were copied.
    """
    copied = 0
    for directory, names, files in os.walk(project):
        names[:] = [name for name in names if name not in LEFT_OUT]
        target = os.path.normpath(os.path.join(copy, os.path.relpath(directory, project)))
        os.makedirs(target)
        for name in files:
            shutil.copyfile(os.path.join(directory, name), os.path.join(target, name))
        copied += len(files)
    return copied


if __name__ == "__main__":
    copy_project(sys.argv[1], sys.argv[2])
