"""A secret put in is found nowhere in clear: on disk, on streams, in tables, on screens."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.real_daemon import (
    BOUND_S,
    RealDaemon,
    command_lines,
    holders,
    real_daemon,
    roost,
    spellings,
    wait_for,
)
from textual.pilot import Pilot

from roost.client.http_engine import HttpEngine
from roost_tui.app import RoostApp

pytestmark = pytest.mark.real


def random_secret() -> str:
    """24 random bytes as text, with characters that every encoding spells its own way."""
    return 'é"\\/+ &' + secrets.token_hex(24)


@contextmanager
def captured_events(daemon: RealDaemon) -> Iterator[bytearray]:
    """Collect the raw bytes of the event stream while the block runs."""
    captured = bytearray()
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(daemon.wire.socket_path)
        stream.sendall(b"GET /v1/events HTTP/1.1\r\nHost: roost\r\n\r\n")

        def collect() -> None:
            while chunk := stream.recv(65536):
                captured.extend(chunk)

        reader = threading.Thread(target=collect)
        reader.start()
        try:
            yield captured
        finally:
            stream.shutdown(socket.SHUT_RDWR)
            reader.join(BOUND_S)


def leaks(needles: dict[str, bytes], data: bytes) -> list[str]:
    return [name for name, needle in needles.items() if needle in data]


async def screen_of(daemon: RealDaemon) -> str:
    """Draw the dashboard and the credentials form of the live daemon."""
    async with HttpEngine(daemon.wire.socket_path) as engine:
        app = RoostApp(engine)
        async with app.run_test(size=(120, 40)) as pilot:
            dashboard = await drawn(app, pilot, "leaky")
            await pilot.press("c")
            return dashboard + await drawn(app, pilot, "API_KEY")


async def drawn(app: RoostApp, pilot: Pilot[None], text: str) -> str:
    """Wait until the screen shows a text, and return the screen."""
    async with asyncio.timeout(BOUND_S):
        while text not in (shown := app.export_screenshot()):
            await pilot.pause(0.05)
    return shown


async def test_a_secret_is_found_nowhere_in_clear_in_any_spelling() -> None:
    first, second = random_secret(), random_secret()
    needles = {
        f"{n}-{k}": v for n, s in enumerate((first, second)) for k, v in spellings(s).items()
    }
    with real_daemon() as daemon, captured_events(daemon) as events:
        daemon.install_mini("leaky", "--leak", env={"API_KEY": first})
        daemon.until("leaky", "running")
        assert daemon.set("leaky", API_KEY=second)["respawn"]["ok"]
        run_ids = [
            daemon.begin("leaky", "env", name="API_KEY"),
            daemon.begin("leaky", "fail"),
            daemon.begin("leaky", "env", name=f"not {second}"),
        ]
        answers = [daemon.wire.get_raw(f"/v1/workspaces/w/runs/{run_id}") for run_id in run_ids]
        for run_id in run_ids:
            daemon.settled(run_id)
            answers.append(daemon.wire.get_raw(f"/v1/workspaces/w/runs/{run_id}"))
        daemon.settled(daemon.begin("leaky", "die"))
        view = daemon.until("leaky", lambda view: view["crash"] is not None)
        assert "asked to die by [secret]" in view["crash"]["stderr_tail"][-1]
        daemon.until("leaky", "running")
        shown = (await screen_of(daemon)).encode()
        answers += [
            daemon.wire.get_raw(daemon.path("leaky") + path)
            for path in ("", "/credentials", "/log?limit=1000&after=0", "/tools", "/impact")
        ]
        answers.append(daemon.wire.get_raw("/v1/runs"))
        for verb in (("ps",), ("show", "leaky"), ("logs", "leaky"), ("credentials", "leaky")):
            told = roost(daemon.data_dir, *verb)
            answers.append((told.stdout + told.stderr).encode())
        texts = daemon.log("leaky")
        assert any("[secret]" in line for line in texts), "the server's leak never reached the log"
        assert leaks(needles, b"".join(answers)) == []
        assert leaks(needles, shown) == []
        assert [pid for pid, line in command_lines() if leaks(needles, line)] == []
        wait_for(lambda: bytes(events), lambda data: b"run_changed" in data)
        daemon.stop()
        assert leaks(needles, bytes(events)) == []
        assert holders(daemon.data_dir, needles) == []


def test_the_search_itself_finds_every_spelling(tmp_path: Path) -> None:
    import base64
    import json
    import urllib.parse

    secret = random_secret()
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + secret.encode() + b"tail")
        (tmp_path / f"b{shift}").write_bytes(b"Basic " + encoded)
    (tmp_path / "raw").write_text(secret)
    (tmp_path / "json").write_text(json.dumps({"a": secret}))
    (tmp_path / "url").write_text(f"https://host/?key={urllib.parse.quote(secret, safe='')}")
    found = {path for path, _ in holders(tmp_path, spellings(secret))}
    assert found == {"b0", "b1", "b2", "raw", "json", "url"}
