"""Bundles of the benchmark's workspace, through the daemon's API."""

from __future__ import annotations

import time
from typing import Any

from roost.client.wire import Wire
from roost.models import InstallRequest, codec

BUNDLES = "/v1/workspaces/bench/bundles"

BUILD_TIMEOUT_S = 300.0

LOOK_PAUSE_S = 0.05


def install(wire: Wire, request: InstallRequest) -> None:
    """Install a bundle and start it once, so that later starts find everything in memory."""
    wire.send("POST", BUNDLES, codec.to_json(request))
    respawn(wire, str(request.name))


def build(wire: Wire, name: str) -> dict[str, Any]:
    """Build a bundle's snapshot and return its view, also of a build that was refused."""
    view: dict[str, Any] = wire.send(
        "POST", f"{BUNDLES}/{name}/snapshot/build", timeout_s=BUILD_TIMEOUT_S
    )
    return view


def await_warm(wire: Wire, name: str) -> None:
    """Wait until a ready snapshot can be started from."""
    deadline = time.monotonic() + BUILD_TIMEOUT_S
    while time.monotonic() < deadline:
        view = wire.get(f"{BUNDLES}/{name}/snapshot")["view"]
        if view["state"] != "ready" or view["is_warm"]:
            return
        time.sleep(LOOK_PAUSE_S)


def respawn(wire: Wire, name: str) -> dict[str, Any]:
    """Respawn a bundle and return the view of its new generation."""
    result = wire.send("POST", f"{BUNDLES}/{name}/respawn", b"{}")
    if not result["ok"]:
        raise SystemExit(result["sentence"])
    generation: dict[str, Any] = view_of(wire, name)["generation"]
    return generation


def view_of(wire: Wire, name: str) -> dict[str, Any]:
    """Return a bundle as a row."""
    view: dict[str, Any] = wire.get(f"{BUNDLES}/{name}")["view"]
    return view


def stop(wire: Wire, name: str) -> None:
    """Stop a bundle."""
    wire.send("POST", f"{BUNDLES}/{name}/stop", b"{}")
