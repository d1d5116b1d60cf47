"""`Installers`: the package managers and interpreters that prepare steps use."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Installers:
    """Absolute paths; None stands for a program that is not installed."""

    python: str
    """Roost's own interpreter."""
    uv: str | None = None
    """Preferred to venv and pip where it is there."""
    npm: str | None = None
    node: str | None = None


def find_installers(environ: Mapping[str, str]) -> Installers:
    """Find them by the daemon's PATH, and uv also beside Roost's own interpreter."""

    def find(name: str, path: str | None = environ.get("PATH")) -> str | None:
        found = shutil.which(name, path=path)
        return None if found is None else str(Path(found).absolute())

    beside = str(Path(sys.executable).parent)
    return Installers(
        python=sys.executable,
        uv=find("uv") or find("uv", beside),
        npm=find("npm"),
        node=find("node"),
    )
