"""What may be set for a daemon: flags win over `ROOST_*` variables, those over the TOML file."""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from roost.errors import BadConfigFile
from roost.settings.locations import default_data_dir

SETTINGS_FILE = "settings.toml"
"""Name of the TOML file inside the data directory."""


class VaultKeyStore(StrEnum):
    """Where the vault's key is kept when the settings do not give it."""

    AUTO = "auto"
    """In the keyring of the system where there is one, else in a file."""
    KEYRING = "keyring"
    """In the keyring; no daemon starts without one."""
    FILE = "file"
    """In a file of the data directory."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is shown only to who asks for it."""

    text: str = field(repr=False)

    def __bool__(self) -> bool:
        return bool(self.text)

    def __str__(self) -> str:
        return "**********"


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """Settings of one daemon; read once, in the composition root."""

    data_dir: Path = field(default_factory=lambda: Path(default_data_dir()))
    """Where everything is kept."""
    vault_key: Secret | None = None
    """Base64 of the 32-byte key of the credentials; without it one is made and kept."""
    vault_key_file: Path | None = None
    """A file with that key, which only this user may read."""
    vault_key_previous: Secret | None = None
    """The key before a given one; the next start seals with the new one what it has sealed."""
    vault_key_store: VaultKeyStore = VaultKeyStore.AUTO
    """Where a key that is not given is kept."""
    starts_at_once: Annotated[int, Meta(ge=1, le=256)] = 4
    """How many bundles start at the same time."""
    log_file_bytes: Annotated[int, Meta(ge=64 * 1024)] = 5 * 1024 * 1024
    """Size at which a bundle's log file is rotated."""
    log_files_kept: Annotated[int, Meta(ge=1, le=1000)] = 4
    """Rotated files kept per generation."""
    log_generations_kept: Annotated[int, Meta(ge=2, le=10_000)] = 50
    """Generations whose logs are kept per bundle."""
    log_bundle_bytes: Annotated[int, Meta(ge=64 * 1024)] = 64 * 1024 * 1024
    """Bytes of logs kept per bundle; the two newest generations stay whatever their size."""
    daemon_log_bytes: Annotated[int, Meta(ge=64 * 1024)] = 10 * 1024 * 1024
    """Size at which the daemon's own log is rotated."""
    daemon_logs_kept: Annotated[int, Meta(ge=1, le=100)] = 3
    """Older logs of the daemon that are kept."""
    shutdown_deadline_s: Annotated[float, Meta(gt=0)] = 30.0
    """Seconds after which a shutdown is forced."""
    figures_interval_s: Annotated[float, Meta(ge=0.1)] = 2.0
    """Seconds between two measurements of the process trees."""
    run_window_s: Annotated[float, Meta(ge=1)] = 600.0
    """Seconds of silence after which an active run that nobody holds any more is given up."""
    run_days_kept: Annotated[float, Meta(gt=0)] = 30.0
    """Days for which a settled run is kept."""
    runs_kept: Annotated[int, Meta(ge=1)] = 10_000
    """Settled runs kept per workspace."""
    run_events_kept: Annotated[int, Meta(ge=1)] = 10_000
    """Events kept of each settled run: the newest ones."""

    def described(self) -> dict[str, str]:
        """Return every setting as text, without the secret ones' values."""
        return {name: _described(name, getattr(self, name)) for name in SETTINGS}


SETTINGS: Final = tuple(each.name for each in fields(DaemonSettings))
"""The name of every setting; its variable is the same in capitals behind ``ROOST_``."""

_PREFIX = "roost_"

_KINDS: Final[dict[str, Any]] = get_type_hints(DaemonSettings, include_extras=True)


def _described(name: str, value: object) -> str:
    if name in ("vault_key", "vault_key_previous"):
        return "given" if value else "none"
    return str(value)


@dataclass(frozen=True, slots=True)
class _Given:
    """A value, and where people find it."""

    value: Any
    place: str


def read_settings(flags: Mapping[str, Any]) -> DaemonSettings:
    """Read the settings once: flags go before variables, and these before the file.

    Args:
        flags: values from the command line; None means not given.

    Raises:
        BadConfigFile: a value does not fit, or the file is not TOML. Its details tell under
            `settings` which do not, and under `places` where they are set.
    """
    given = {
        name: _Given(value, f"--{name.replace('_', '-')}")
        for name, value in flags.items()
        if value is not None
    }
    file = Path(flags.get("data_dir") or default_data_dir()) / SETTINGS_FILE
    given = _from_file(file) | _from_environ() | given
    values: dict[str, Any] = {}
    misfits: dict[str, str] = {}
    for name in SETTINGS:
        if name in given:
            try:
                values[name] = _value(_KINDS[name], given[name].value)
            except msgspec.ValidationError:  # its words may repeat the value
                misfits[name] = _expected(_KINDS[name])
    if misfits:
        raise _misfit(misfits, {name: given[name].place for name in misfits})
    return DaemonSettings(**values)


def _misfit(misfits: Mapping[str, str], places: Mapping[str, str]) -> BadConfigFile:
    listed = "; ".join(f"{places[name]} must be {words}" for name, words in misfits.items())
    return BadConfigFile(
        f"the settings do not fit: {listed}. Correct them, or take them out for the defaults",
        settings=list(misfits),
        places=list(places.values()),
    )


def _from_environ() -> dict[str, _Given]:
    """Return what the variables set; as in most programs, their case does not matter."""
    return {
        name.lower().removeprefix(_PREFIX): _Given(value, name)
        for name, value in os.environ.items()
        if name.lower().startswith(_PREFIX)
    }


def _from_file(path: Path) -> dict[str, _Given]:
    try:
        read = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    except OSError as error:
        raise BadConfigFile(
            f"{error.filename or SETTINGS_FILE} cannot be read ({error.strerror}); correct its "
            "path or its permissions"
        ) from error
    except ValueError as error:
        raise BadConfigFile(f"{path} is not valid TOML: {error}. Correct it") from error
    return {name: _Given(value, f"{name} in {path}") for name, value in read.items()}


def _value(kind: Any, given: Any) -> Any:
    """Return a value as its setting has it; variables are texts, whatever they mean.

    Raises:
        msgspec.ValidationError: it does not fit.
    """
    if kind == Path or kind == Path | None:
        return given if isinstance(given, Path) else Path(msgspec.convert(given, str))
    if kind == Secret | None:
        return Secret(msgspec.convert(given, str))
    if isinstance(given, str):
        given = _plain(given.strip())
    return msgspec.convert(given, kind, strict=False)


def _plain(text: str) -> str | int | float:
    """Return the number that a text is, or else the text.

    Raises:
        msgspec.ValidationError: it is no text that could be any setting.
    """
    if not text.isascii():  # or there were numbers in other digits, and bytes that are no text
        raise msgspec.ValidationError
    with contextlib.suppress(ValueError):
        return int(text)
    with contextlib.suppress(ValueError):
        return float(text)
    return text


def _expected(kind: Any) -> str:
    """Say what a setting takes."""
    bare, *extras = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    if isinstance(bare, type) and issubclass(bare, StrEnum):
        return f"one of {', '.join(bare)}"
    rule = extras[0] if extras else Meta()
    bounds = {"at least": rule.ge, "more than": rule.gt, "at most": rule.le}
    limits = [f"{words} {bound}" for words, bound in bounds.items() if bound is not None]
    noun = {int: "a whole number", float: "a number"}.get(bare, "a text")
    return " and ".join([f"{noun} of {limits[0]}", *limits[1:]]) if limits else noun


def daemon_environment() -> dict[str, str]:
    """Return the environment the daemon was started with, for the composition root alone."""
    return dict(os.environ)
