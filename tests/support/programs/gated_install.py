"""Install or upgrade the bundle ``app`` and stand still at one point until the process is killed.

Usage: gated_install.py DATA_DIR VERB ARCHIVE POINT. Prints ``there`` at the point, and ``done``
when it is never reached.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.contract.world import real_engine

from roost.bundles.unpacked import BundleFolders
from roost.models import InstallRequest, SourceKind, UpgradeRequest
from roost.store import bundle_rows

HELD_S = 600.0
"""Longer than any test waits before it kills this, and not for ever."""


def stand_still() -> None:
    print("there", flush=True)
    time.sleep(HELD_S)


def before(owner: Any, name: str) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    def gated(*args: Any, **options: Any) -> Any:
        stand_still()
        return original(*args, **options)

    setattr(owner, name, gated)


def after(owner: Any, name: str) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    def gated(*args: Any, **options: Any) -> Any:
        original(*args, **options)
        stand_still()

    setattr(owner, name, gated)


def after_awaited(owner: Any, name: str) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    async def gated(*args: Any, **options: Any) -> Any:
        result = await original(*args, **options)
        stand_still()
        return result

    setattr(owner, name, gated)


POINTS: dict[str, Callable[[], None]] = {
    "unpacked": lambda: before(BundleFolders, "publish"),
    "published": lambda: after(BundleFolders, "publish"),
    "half written": lambda: after_awaited(bundle_rows, "add_version"),
    "installed": lambda: after_awaited(bundle_rows.SqlBundleRows, "add"),
    "switched": lambda: after_awaited(bundle_rows.SqlBundleRows, "switch_version"),
}


async def main(data_dir: str, verb: str, archive: str, point: str) -> None:
    request = InstallRequest(SourceKind.MCPB, name="app", path=archive, start=False)
    async with real_engine(data_dir, has_workspace=True) as engine:
        api = engine.facade("ops")
        POINTS[point]()
        if verb == "install":
            await api.install("w", request)
        else:
            await api.upgrade("w", "app", UpgradeRequest(request))
    print("done", flush=True)


asyncio.run(main(*sys.argv[1:]))
