"""The settings: readable, valid, known, and the ones the daemon runs with."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path

from roost.doctor.findings import command, listed, ok, problem, warning
from roost.doctor.surroundings import Surroundings
from roost.errors import BadConfigFile
from roost.models.doctor import Finding
from roost.settings.daemon_settings import SETTINGS, SETTINGS_FILE, DaemonSettings


def check_settings(around: Surroundings) -> Finding:
    """Say whether the settings can be read, and name the key that keeps them from it."""
    name, path = "settings", around.data_dir / SETTINGS_FILE
    read = around.settings()
    if isinstance(read, BadConfigFile):
        return _unfit(path, read)
    if unknown := _unknown_keys(path):
        return warning(
            name,
            f"{path} sets what does not exist and is ignored: {listed(map(_meant, unknown))}",
            f"correct it in {path}; docs/settings.md lists every setting",
        )
    if changed := _changed(around.running, read):
        return warning(
            name,
            f"changed since the daemon started, which does not know yet: {listed(changed)}",
            "restart it with `roost down` and `roost`",
        )
    source = path.name if path.exists() else "the defaults"
    return ok(name, f"valid; from {source} and the environment")


def _unfit(path: Path, error: BadConfigFile) -> Finding:
    places = listed(error.details.get("places", []))
    where = places or f"{path}; move it away with {command('mv', path, f'{path}.old')} if need be"
    return problem("settings", error.message, f"no daemon starts like this: correct {where}")


def _keys(path: Path) -> tuple[str, ...]:
    try:
        return tuple(tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        return ()


def _unknown_keys(path: Path) -> list[str]:
    return [key for key in _keys(path) if key not in SETTINGS]


def _meant(key: str) -> str:
    near = get_close_matches(key, SETTINGS, n=1)
    return f"{key} (is it {near[0]}?)" if near else key


def _changed(running: DaemonSettings | None, read: DaemonSettings) -> list[str]:
    if running is None:
        return []
    names = set(SETTINGS) - {"data_dir"}
    return sorted(name for name in names if getattr(running, name) != getattr(read, name))
