"""The API in front of a fake engine, served from a thread, for clients that block."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tests.support.fake_engine import FakeEngine
from tests.support.socket_dir import socket_dir

from roost.api import ApiServer, bind_socket, create_app

T = TypeVar("T")

START_TIMEOUT_S = 10.0


class ServedEngine:
    """A fake daemon for the data directory `data_dir`."""

    def __init__(self, fake: FakeEngine, data_dir: str) -> None:
        self.fake = fake
        self.data_dir = data_dir
        self.socket_path = os.path.join(data_dir, "roost.sock")
        self._loop = asyncio.new_event_loop()
        self._is_ready = threading.Event()
        self._is_over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="served-engine")

    def do(self, step: Callable[[FakeEngine], T]) -> T:
        """Do something to the fake in the thread of its loop."""

        async def run() -> T:
            return step(self.fake)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(START_TIMEOUT_S)

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Run a coroutine in the thread of the fake's loop, to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_TIMEOUT_S)

    def wait_for_call(self, method: str) -> None:
        """Wait until a client has called this method."""
        pause = threading.Event()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.fake.called(method):
            assert time.monotonic() < deadline, f"nobody called {method}"
            pause.wait(0.005)

    def start(self) -> None:
        self._thread.start()
        assert self._is_ready.wait(START_TIMEOUT_S)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join(START_TIMEOUT_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        app = create_app(self.fake, clock=self.fake.clock)
        async with ApiServer(app, bind_socket(self.socket_path)):
            self._is_ready.set()
            await self._is_over.wait()
            self.fake.close()


@contextmanager
def served(fake: FakeEngine) -> Iterator[ServedEngine]:
    """Serve a fake engine on the socket of a fresh data directory."""
    with socket_dir() as data_dir:
        engine = ServedEngine(fake, data_dir)
        engine.start()
        try:
            yield engine
        finally:
            engine.stop()
