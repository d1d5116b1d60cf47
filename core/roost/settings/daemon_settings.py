"""What may be set for a daemon: flags win over `ROOST_*` variables, those over the TOML file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

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


class DaemonSettings(BaseSettings):
    """Settings of one daemon; read once, in the composition root."""

    model_config = SettingsConfigDict(env_prefix="ROOST_", extra="ignore", frozen=True)

    data_dir: Path = Field(default_factory=lambda: Path(default_data_dir()))
    """Where everything is kept."""
    vault_key: SecretStr | None = None
    """Base64 of the 32-byte key of the credentials; without it one is made and kept."""
    vault_key_file: Path | None = None
    """A file with that key, which only this user may read."""
    vault_key_previous: SecretStr | None = None
    """The key before a given one; the next start seals with the new one what it has sealed."""
    vault_key_store: VaultKeyStore = VaultKeyStore.AUTO
    """Where a key that is not given is kept."""
    starts_at_once: int = Field(default=4, ge=1, le=256)
    """How many bundles start at the same time."""
    log_file_bytes: int = Field(default=5 * 1024 * 1024, ge=64 * 1024)
    """Size at which a bundle's log file is rotated."""
    log_files_kept: int = Field(default=4, ge=1, le=1000)
    """Rotated files kept per generation."""
    log_generations_kept: int = Field(default=50, ge=2, le=10_000)
    """Generations whose logs are kept per bundle."""
    log_bundle_bytes: int = Field(default=64 * 1024 * 1024, ge=64 * 1024)
    """Bytes of logs kept per bundle; the two newest generations stay whatever their size."""
    daemon_log_bytes: int = Field(default=10 * 1024 * 1024, ge=64 * 1024)
    """Size at which the daemon's own log is rotated."""
    daemon_logs_kept: int = Field(default=3, ge=1, le=100)
    """Older logs of the daemon that are kept."""
    shutdown_deadline_s: float = Field(default=30.0, gt=0)
    """Seconds after which a shutdown is forced."""
    figures_interval_s: float = Field(default=2.0, ge=0.1)
    """Seconds between two measurements of the process trees."""
    run_window_s: float = Field(default=600.0, ge=1)
    """Seconds of silence after which an active run that nobody holds any more is given up."""
    run_days_kept: float = Field(default=30.0, gt=0)
    """Days for which a settled run is kept."""
    runs_kept: int = Field(default=10_000, ge=1)
    """Settled runs kept per workspace."""
    run_events_kept: int = Field(default=10_000, ge=1)
    """Events kept of each settled run: the newest ones."""

    def described(self) -> dict[str, str]:
        """Return every setting as text, without the secret ones' values."""
        given = self.model_dump(mode="python", exclude={"vault_key", "vault_key_previous"})
        secret = {"vault_key": self.vault_key, "vault_key_previous": self.vault_key_previous}
        told = {name: "given" if value else "none" for name, value in secret.items()}
        return {name: str(value) for name, value in given.items()} | told

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: flags, environment, file."""
        given = init_settings().get("data_dir") or default_data_dir()
        file = TomlConfigSettingsSource(settings_cls, Path(str(given)) / SETTINGS_FILE)
        return init_settings, env_settings, file


def read_settings(flags: Mapping[str, Any]) -> DaemonSettings:
    """Read the settings once.

    Args:
        flags: values from the command line; None means not given.

    Raises:
        BadConfigFile: a value does not fit, or the file is not TOML.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return DaemonSettings(**given)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadConfigFile(
            f"the settings do not fit: {problems}. Correct them",
            settings=[".".join(map(str, e["loc"])) for e in error.errors()],
        ) from None
    except OSError as error:
        raise BadConfigFile(
            f"{error.filename or SETTINGS_FILE} cannot be read ({error.strerror}); correct its "
            "path or its permissions"
        ) from error
    except ValueError as error:
        raise BadConfigFile(f"{SETTINGS_FILE} is not valid TOML: {error}. Correct it") from error


def daemon_environment() -> dict[str, str]:
    """Return the environment the daemon was started with, for the composition root alone."""
    return dict(os.environ)
