"""``roost status``: the daemon and what it looks after."""

from __future__ import annotations

import os

from roost.cli.exit_codes import OK
from roost.cli.verb import Verb
from roost.cli.words import STATES, duration, now_ms, percent, plural, size, spaced
from roost.client.json_text import parse
from roost.settings.locations import log_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from roost.cli.arguments import Arguments
    from roost.cli.session import Session
    from roost.client.wire import Wire


def _status(session: Session, given: Arguments) -> int:
    wire = session.reader()
    answer = wire.get_raw("/v1/status")
    if session.is_json:
        session.terminal.json_text(answer)
        return OK
    daemon = parse(answer)
    bundles = wire.get("/v1/bundles")
    session.terminal.facts(
        [
            ("daemon", _daemon_line(daemon)),
            ("data", daemon["data_dir"]),
            ("socket", wire.socket_path),
            ("log", _log(daemon["data_dir"])),
            ("key", _key(wire)),
            ("uses", f"{percent(daemon['cpu_percent'])} cpu, {size(daemon['rss_bytes'])}"),
            ("viewers", str(daemon["viewers"])),
            ("orphans", str(daemon["orphans"])),
            ("waits for", ", ".join(daemon.get("waiting_for") or ())),
            ("runs", f"{sum(bundle['active_runs'] for bundle in bundles)} active"),
            *_workspace_facts(wire.get("/v1/workspaces"), bundles),
        ]
    )
    return OK


def _log(data_dir: str) -> str:
    """Return the daemon's own log, if it has one: in the foreground others collect it."""
    path = log_path(data_dir)
    return path if os.path.exists(path) else ""


def _key(wire: Wire) -> str:
    """Return where the key of the credentials is kept, nothing while the store cannot tell."""
    try:
        return str(wire.get("/v1/vault")["described"])
    except Exception as error:
        from roost.errors import Unavailable  # loaded by now, and by nothing that went well

        if not isinstance(error, Unavailable):
            raise
        return ""


def _daemon_line(daemon: Mapping[str, Any]) -> str:
    word = "stopping" if daemon.get("is_stopping") else "running"
    up = duration(now_ms() - daemon["started_at"])
    return f"{word}, version {daemon['version']}, pid {daemon['pid']}, up {up}"


def _workspace_facts(
    workspaces: Sequence[Mapping[str, Any]], bundles: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    facts = []
    for view in workspaces:
        own = [bundle for bundle in bundles if bundle["workspace"] == view["id"]]
        label = "" if view["label"] == view["id"] else f" ({view['label']})"
        facts.append(("workspace", f"{view['id']}{label}: {_health(own)}"))
    return facts


def _health(bundles: Sequence[Mapping[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for bundle in bundles:
        state = bundle["state"]
        word = STATES[state][1] if state in STATES else spaced(state)
        counts[word] = counts.get(word, 0) + 1
    parts = [f"{count} {word}" for word, count in counts.items()]
    return ", ".join([plural(len(bundles), "bundle"), *parts])


VERBS = (
    Verb(
        "status",
        _status,
        details="Without a running daemon it says so and exits 5. --json prints the DaemonView.\n"
        "`roost doctor` looks for what is wrong.",
    ),
)
