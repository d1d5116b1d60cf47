"""What launching an app leaves in the process, undone after a test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.lifecycle.modules import clear_module_loader


@pytest.fixture
def clean_imports(tmp_path: Path) -> Iterator[None]:
    """Give back the path, the arguments and the app's modules that a launcher brings in."""
    path, arguments = list(sys.path), list(sys.argv)
    yield
    clear_module_loader()
    sys.path[:], sys.argv[:] = path, arguments
    forget_modules(tmp_path)


def forget_modules(directory: Path) -> None:
    """Let the modules of a directory be imported anew, as in another process."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(directory)):
            del sys.modules[name]
