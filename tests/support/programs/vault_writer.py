"""Writes credentials or rotates the vault's key, and stops dead at a chosen point to be killed.

usage: vault_writer.py DATA_DIR write|rotate|churn [POINT]
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from roost.clock import SystemClock
from roost.engine.vault_keys import open_vault
from roost.models import ConfigField, CredentialWrite, FieldType, FieldValue
from roost.settings.daemon_settings import DaemonSettings
from roost.store import SqlStore, credential_rows
from roost.vault import FieldCipher, KeyFile

FIELDS = tuple(ConfigField(key, FieldType.STRING, key, sensitive=True) for key in ("user", "token"))

Made = Callable[..., Any]

HELD_S = 600.0
"""Longer than any test waits before it kills this, and not for ever."""

MOST_WRITES = 1000


def stop_at(point: str) -> None:
    """Tell the parent where this stands and wait for the end."""
    print(f"at {point}", flush=True)
    time.sleep(HELD_S)


def gate(owner: Any, name: str, point: str, *, call: int = 1, before: bool = False) -> None:
    """Stop before or behind the given call of a function."""
    made: Made = getattr(owner, name)
    count = 0

    def counted() -> bool:
        nonlocal count
        count += 1
        return count == call

    async def gated_async(*arguments: Any, **named: Any) -> Any:
        is_it = counted()
        if is_it and before:
            stop_at(point)
        result = await made(*arguments, **named)
        if is_it:
            stop_at(point)
        return result

    def gated(*arguments: Any, **named: Any) -> Any:
        is_it = counted()
        if is_it and before:
            stop_at(point)
        result = made(*arguments, **named)
        if is_it:
            stop_at(point)
        return result

    setattr(owner, name, gated_async if asyncio.iscoroutinefunction(made) else gated)


POINTS: dict[str, Callable[[], None]] = {
    "rows inserted": lambda: gate(credential_rows, "_insert_set", "rows inserted"),
    "old rows deleted": lambda: gate(credential_rows, "_delete_before", "old rows deleted"),
    "write committed": lambda: gate(credential_rows.SqlCredentialRows, "replace", "committed"),
    "before both keys": lambda: gate(KeyFile, "keep", "before", before=True),
    "draft of both keys": lambda: gate(KeyFile, "_draft", "draft"),
    "both keys kept": lambda: gate(KeyFile, "keep", "kept"),
    "second value sealed": lambda: gate(FieldCipher, "resealed", "sealed", call=2),
    "all values sealed": lambda: gate(credential_rows, "_set_fact", "all"),
    "sealing committed": lambda: gate(credential_rows.SqlCredentialRows, "reseal", "committed"),
    "draft of new key": lambda: gate(KeyFile, "_draft", "draft", call=2),
    "old key dropped": lambda: gate(KeyFile, "keep", "dropped", call=2),
}


async def main(data_dir: Path, action: str) -> None:
    """Do what was asked for; a churn goes on until it is killed."""
    settings = DaemonSettings(data_dir=data_dir)
    async with SqlStore(f"sqlite:///{data_dir / 'roost.db'}") as store:
        keys = await open_vault(settings, data_dir / "keys", store, SystemClock(), {})
        if action == "rotate":
            await keys.rotate()
        for number in range(1, 1 + {"write": 1, "churn": MOST_WRITES}.get(action, 0)):
            values: dict[str, FieldValue] = {"user": f"user-{number}", "token": f"token-{number}"}
            await keys.vault.write("w", "app", FIELDS, CredentialWrite(set=values), "test")
            if action == "churn":
                print(number, flush=True)
                await keys.rotate()


if __name__ == "__main__":
    if len(sys.argv) > 3:
        POINTS[sys.argv[3]]()
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
