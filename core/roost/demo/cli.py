"""``roost demo``: the screen on a throw-away daemon, or the tour where nobody watches."""

from __future__ import annotations

import argparse
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from roost.client.discovery import ensure_daemon, find_daemon, stop_daemon
from roost.client.wire import Wire
from roost.demo.provision import keep_key_in_file, provision
from roost.errors import RoostError
from roost.settings.locations import default_demo_dir, socket_path

OpenScreen = Callable[[str, str | None], int]
"""Opens the screen on a data directory and a workspace; returns the exit status."""

DEMO_MARK = ".roost-demo"
"""File that says a directory belongs to the demo and may be deleted with it."""


def run(argv: Sequence[str], open_screen: OpenScreen) -> int:
    """Run the demo verb.

    Args:
        argv: what stands behind ``roost demo``.
        open_screen: opens the front end.
    """
    arguments = _parse(argv)
    data_dir = Path(arguments.demo_dir or default_demo_dir())
    if arguments.stop:
        return _stop(data_dir)
    if arguments.tour or not sys.stdout.isatty():
        from roost.demo.tour import run_tour

        return run_tour(keep=arguments.keep)
    return _open(data_dir, open_screen)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="roost demo",
        description="Open the screen on a throw-away daemon with real apps in two workspaces.",
    )
    parser.add_argument(
        "--tour", action="store_true", help="check every step without the screen and exit"
    )
    parser.add_argument("--keep", action="store_true", help="keep the tour's data directory")
    parser.add_argument("--stop", action="store_true", help="stop the demo and delete its data")
    parser.add_argument("--demo-dir", help="where the demo keeps its data")
    return parser.parse_args(argv)


def _open(data_dir: Path, open_screen: OpenScreen) -> int:
    if not _is_demo(data_dir) and _holds_something(data_dir):
        print(f"{data_dir} was not made by the demo; choose another --demo-dir", file=sys.stderr)
        return 2
    if not find_daemon(str(data_dir)):
        shutil.rmtree(data_dir, ignore_errors=True)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    (data_dir / DEMO_MARK).touch(mode=0o600)
    keep_key_in_file(data_dir)
    # The screen paints at once; the bundles appear in it as they are installed.
    threading.Thread(target=_provision, args=(data_dir,), daemon=True).start()
    status = open_screen(str(data_dir), None)
    if find_daemon(str(data_dir)):
        print("The demo goes on. `roost demo` opens it again, `roost demo --stop` ends it.")
    return status


def _provision(data_dir: Path) -> None:
    # What fails here shows on the screen: as a missing daemon, or as a bundle that says why.
    with suppress(RoostError, OSError):
        ensure_daemon(str(data_dir))
        provision(Wire(socket_path(str(data_dir))), data_dir)


def _stop(data_dir: Path) -> int:
    if not data_dir.exists():
        print("No demo is there to stop.")
        return 0
    if not _is_demo(data_dir):
        print(f"{data_dir} was not made by the demo and is left as it is", file=sys.stderr)
        return 2
    if find_daemon(str(data_dir)) and not stop_daemon(str(data_dir)):
        print("the demo's daemon is still stopping; try again", file=sys.stderr)
        return 1
    shutil.rmtree(data_dir, ignore_errors=True)
    print("The demo is stopped and its data is deleted.")
    return 0


def _is_demo(data_dir: Path) -> bool:
    return (data_dir / DEMO_MARK).is_file()


def _holds_something(data_dir: Path) -> bool:
    return data_dir.exists() and any(data_dir.iterdir())
