"""The console script `roost`: the screen without a verb, the command line with one."""

from __future__ import annotations

import os
import sys

from roost.cli import main as run_command_line

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing the contract costs several times what a verb such as `ps` does
    from roost.contract import EngineAPI


def main() -> int:
    """Run the program and return its exit code."""
    return run_command_line(sys.argv[1:], environ=os.environ, open_screen=open_screen)


def open_screen(data_dir: str, workspace: str | None, is_read_only: bool) -> int:
    """Open the screen on the daemon of a data directory, which is started when none runs.

    Args:
        data_dir: the data directory.
        workspace: the workspace to show; None shows all.
        is_read_only: whether everything that changes something is left out, the start of a daemon
            included: it would start the bundles.
    """
    import gc
    from pathlib import Path

    gc.disable()  # until the first frame: what is being imported holds no garbage to look for
    from roost_tui.app import RoostApp  # textual is loaded for the screen alone

    async def connect() -> EngineAPI:
        gc.enable()
        return await _connect(data_dir, may_start=not is_read_only)

    app = RoostApp(
        connect,
        workspace=workspace,
        read_only=is_read_only,
        crash_dir=Path(data_dir, "crashes"),
        ascii_only="utf" not in (sys.stdout.encoding or "").lower(),
    )
    app.run()
    return app.return_code or 0


async def _connect(data_dir: str, *, may_start: bool) -> EngineAPI:
    """Reach the daemon; called once the first frame is on the screen."""
    import asyncio
    import threading
    from contextlib import suppress

    loop = asyncio.get_running_loop()
    reached: asyncio.Future[EngineAPI] = loop.create_future()

    def settle(error: Exception | None, engine: EngineAPI | None) -> None:
        if reached.done():
            return
        if engine is not None:
            reached.set_result(engine)
        else:
            reached.set_exception(error or RuntimeError("no engine and no error"))

    def reach() -> None:
        error, engine = None, None
        try:
            engine = _reach(data_dir, may_start)
        except Exception as failure:  # noqa: BLE001 - raised again where it is awaited
            error = failure
        with suppress(RuntimeError):  # the screen was left meanwhile and its loop is closed
            loop.call_soon_threadsafe(settle, error, engine)

    # A thread that nobody joins: leaving the screen must not wait for a daemon that starts.
    threading.Thread(target=reach, name="reach-daemon", daemon=True).start()
    return await reached


def _reach(data_dir: str, may_start: bool) -> EngineAPI:
    from roost.client.discovery import daemon_socket, ensure_daemon

    socket_path = (ensure_daemon if may_start else daemon_socket)(data_dir)
    from roost.client.http_engine import HttpEngine  # httpx alone costs 150 ms

    return HttpEngine(socket_path)


if __name__ == "__main__":
    sys.exit(main())
