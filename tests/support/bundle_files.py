"""Manifests, archives and folders to install in tests."""

from __future__ import annotations

import json
import stat
import sys
import zipfile
from pathlib import Path
from typing import Any

FILE_MODE = stat.S_IFREG | 0o644


def manifest(**changes: Any) -> dict[str, Any]:
    """Return a small valid manifest; a change to None leaves the key out."""
    base: dict[str, Any] = {
        "manifest_version": "0.3",
        "name": "Demo Server",
        "version": "1.2.0",
        "description": "Answers",
        "author": {"name": "A. Author"},
        "server": server(),
    }
    return {key: value for key, value in (base | changes).items() if value is not None}


def server(**changes: Any) -> dict[str, Any]:
    """Return the server part of a manifest; changes go to `mcp_config` unless they belong above."""
    above = {key: changes.pop(key) for key in ("type", "entry_point") if key in changes}
    config = {"command": "python", "args": ["${__dirname}/server/main.py"]} | changes
    return {"type": "python", "entry_point": "server/main.py", "mcp_config": config} | above


def user_field(**changes: Any) -> dict[str, Any]:
    """Return one `user_config` field."""
    return {"type": "string", "title": "Field", "description": "A field"} | changes


def write_archive(
    path: Path,
    data: Any = None,
    entries: tuple[tuple[str | zipfile.ZipInfo, bytes], ...] = (),
    *,
    main: bytes = b"print('hello')\n",
) -> Path:
    """Write an MCPB archive with a manifest, an entry point and more entries.

    The same contents are the same bytes: no entry tells when it was written.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        text = json.dumps(manifest() if data is None else data).encode()
        for name, content in (("manifest.json", text), ("server/main.py", main), *entries):
            archive.writestr(entry(name) if isinstance(name, str) else name, content)
    return path


def entry(name: str, mode: int = FILE_MODE) -> zipfile.ZipInfo:
    """Return an entry whose name is kept as it is and whose mode is `mode`."""
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def write_folder(path: Path, data: Any = None) -> Path:
    """Write an unpacked bundle."""
    (path / "server").mkdir(parents=True)
    (path / "manifest.json").write_text(json.dumps(manifest() if data is None else data))
    (path / "server" / "main.py").write_text("print('hello')\n")
    return path


def which(name: str) -> str | None:
    """Find the programs that tests count on."""
    return {"python3": sys.executable, "node": "/usr/bin/env", "uv": "/usr/bin/env"}.get(name)
