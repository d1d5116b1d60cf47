"""The two calls of whoever prepares an app's start: load it without starting it, and restore it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from roost.app.app import App, is_loading_for_snapshot
from roost.app.launch import load_app
from roost.errors import EntryFailed
from roost.lifecycle.entry import resolve_entry
from roost.lifecycle.modules import ModuleLoader
from roost.lifecycle.modules import module_loader as module_loader_is


def load_for_snapshot(
    entry: str | None = None,
    directory: str | Path = ".",
    module_loader: ModuleLoader | None = None,
) -> App:
    """Find an app and load it without starting it; nothing of it runs when this returns.

    Args:
        entry: ``module[:attribute]`` or ``file.py[:attribute]``; None to ask the app's own files.
        directory: the app's directory.
        module_loader: imports the app's module in its own way, for this call.

    Raises:
        EntryNotFound: there is no app; the sentence names what was looked for.
        EntryFailed: the app's own code raised while it was imported.
        HookFailed: a component failed; what was registered for clean-up is cleaned up.
        BadConfigFile: the app's own file cannot be used.
        BadInput: the module runs its app while it is imported.
        NotLoaded: the app is loaded or started already.
    """
    found = resolve_entry(entry, directory)
    token = is_loading_for_snapshot.set(True)
    try:
        with module_loader_is(module_loader):
            app = load_app(found)
    except SystemExit as error:
        raise EntryFailed(str(found), error) from error
    finally:
        is_loading_for_snapshot.reset(token)
    app.load_for_snapshot()
    return app


def restore(app: App, environ: Mapping[str, str] | None = None) -> int:
    """Start what `load_for_snapshot` returned, or a copy of it, and return its exit status.

    Args:
        app: the loaded app.
        environ: replaces the process's variables before any hook runs; None leaves them.
    """
    return app.restore(environ)
