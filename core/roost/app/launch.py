"""The launcher: ``python -m roost.app [ENTRY] [--directory DIR]`` runs an app as a script would."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from roost.app.app import App
from roost.app.report import report
from roost.errors import RoostError
from roost.lifecycle.entry import Entry, resolve_entry
from roost.lifecycle.modules import load_entry


def load_app(entry: Entry) -> App:
    """Import an entry and return the app in it.

    Raises:
        EntryNotFound: there is no app; the sentence names what was looked for.
        EntryFailed: the app's own code raised.
    """
    app = load_entry(entry, App)
    app.entry = str(entry)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run the app that the arguments or its own files name; returns the exit status."""
    arguments = _parse(argv)
    _drop_working_directory()
    if arguments.describe:
        from roost.app.describe import describe  # deferred: a start does without

        return describe(arguments.entry, arguments.directory)
    try:
        entry = resolve_entry(arguments.entry, arguments.directory)
        sys.argv[:] = [str(entry.path or entry.module)]
        app = load_app(entry)
    except RoostError as error:
        return report(error)
    # A module that runs its app unguarded has done so by now, as when it is run by hand.
    return app.run() if app.exit_status is None else app.exit_status


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m roost.app", description=__doc__)
    parser.add_argument(
        "entry",
        nargs="?",
        help="MODULE[:ATTRIBUTE] or FILE.py[:ATTRIBUTE]; the app's own files say it when left out",
    )
    parser.add_argument("--directory", default=".", help="the app's directory (default: this one)")
    parser.add_argument(
        "--describe",
        action="store_true",
        help="load the app without starting it, and print what it is as one line of JSON",
    )
    return parser.parse_args(argv)


def _drop_working_directory() -> None:
    """Take away what ``-m`` put on the path: a script has its own directory there instead."""
    if not sys.flags.safe_path and sys.path and sys.path[0] == os.getcwd():
        del sys.path[0]
