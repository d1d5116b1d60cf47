"""The table of actions: bindings, palette, footer, help and read-only mode come from it.

What the engine knows (risk, role, verb) stays in `roost.contract.ACTIONS`; an entry here with the
same id gives it a key and words. The other entries act on the screen alone and only read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from textual.binding import Binding

from roost.contract import ACTIONS, Risk

FOOTER_LIMIT = 8
"""Keys the footer shows at most."""


class Place(StrEnum):
    """A panel that can have the focus; the values are the ids of the widgets."""

    BUNDLES = "bundles"
    RUNS = "runs"
    LOGS = "logs"
    DETAIL = "detail"
    EVENTS = "events"
    SNAPSHOT = "snapshot"
    BUNDLE = "bundle"
    """The one panel of the bundle screen."""
    RUN_LIST = "run-list"
    """The one panel of the runs screen."""
    RUN = "run"
    """The page of the run screen, above its events."""
    SNAPSHOT_LIST = "snapshot-list"
    """The table of the snapshots screen."""
    SNAPSHOT_PAGE = "snapshot-page"
    """Everything about one snapshot, below that table."""


TABLES = (Place.BUNDLES, Place.RUNS)
BOTTOM = (Place.LOGS, Place.DETAIL, Place.EVENTS, Place.SNAPSHOT)
EVERYWHERE = (*TABLES, *BOTTOM)
"""The panels of the dashboard."""
FILTERED = (*TABLES, Place.LOGS)
"""Panels that take a filter."""


@dataclass(frozen=True, slots=True)
class KeyAction:
    """One thing a key or the palette can do."""

    id: str
    keys: str
    """Textual key names, separated by commas; empty for what only the palette offers."""
    label: str
    """One or two words for the footer."""
    help: str
    """One sentence for the palette and the help."""
    group: str
    places: tuple[Place, ...] = EVERYWHERE
    footer: int = 0
    """Rank in the footer, lowest first; 0 keeps it out."""
    footer_at: tuple[Place, ...] = ()
    """The places whose footers show it, where that is not all of `places`."""
    on_widget: bool = False
    """Whether the focused widget does it itself."""
    in_palette: bool = True
    like: str = ""
    """The action of the engine that it does to several rows, if any."""

    @property
    def risk(self) -> Risk:
        """What it may cost; actions of the screen alone only read."""
        known = ACTIONS.get(self.like or self.id)
        return known.risk if known else Risk.READS

    @property
    def verb(self) -> str | None:
        """Words of the command line that do the same, if any."""
        known = ACTIONS.get(self.id)
        return known.verb if known else None

    @property
    def call(self) -> str:
        """The Textual action that a binding runs."""
        if self.on_widget:
            return f"move('{self.id.removeprefix('move.')}')"
        return f"screen.perform('{self.id}')"


_OF_SNAPSHOTS = (Place.SNAPSHOT_LIST, Place.SNAPSHOT_PAGE)
_SCROLLED = (*EVERYWHERE, Place.BUNDLE, Place.RUN_LIST, Place.RUN, *_OF_SNAPSHOTS)


def _move(name: str, keys: str, help: str, places: tuple[Place, ...] = _SCROLLED) -> KeyAction:
    label = name.replace("_", " ")
    return KeyAction(
        f"move.{name}", keys, label, help, "Move", places, on_widget=True, in_palette=False
    )


_BUNDLE_ANYWHERE = (Place.BUNDLES, *BOTTOM, Place.BUNDLE)
_OF_ONE_BUNDLE = (Place.BUNDLES, Place.BUNDLE)
_OF_ONE_SNAPSHOT = (Place.BUNDLES, Place.SNAPSHOT, Place.BUNDLE, *_OF_SNAPSHOTS)
_OF_TASKS = (Place.BUNDLES, Place.RUNS, Place.BUNDLE, Place.RUN_LIST)
_OF_RUNS = (Place.RUNS, Place.RUN_LIST, Place.RUN)

KEY_ACTIONS: tuple[KeyAction, ...] = (
    _move("down", "down,j", "Next row or line"),
    _move("up", "up,k", "Previous row or line"),
    _move("half_down", "ctrl+d", "Half a page down"),
    _move("half_up", "ctrl+u", "Half a page up"),
    _move("page_down", "pagedown", "A page down"),
    _move("page_up", "pageup", "A page up"),
    _move("top", "g,home", "To the first row or line"),
    _move("bottom", "G,end", "To the last one; in logs this follows again"),
    _move("left", "left", "Scroll left", (Place.LOGS,)),
    _move("right", "right", "Scroll right", (Place.LOGS,)),
    KeyAction(
        "screen.open", "enter", "open", "Open the bundle or the run", "Move", TABLES, footer=4
    ),
    KeyAction(
        "screen.back",
        "escape",
        "back",
        "Clear the filter, then go back; never quits",
        "Move",
        footer=9,
        in_palette=False,
    ),
    KeyAction("screen.next_panel", "tab", "next panel", "To the next panel", "Move", footer=10),
    KeyAction(
        "screen.previous_panel", "shift+tab", "previous panel", "To the previous panel", "Move"
    ),
    KeyAction("screen.next_tab", "]", "next tab", "To the next tab", "Move", footer=11),
    KeyAction("screen.previous_tab", "[", "previous tab", "To the previous tab", "Move"),
    KeyAction("screen.dashboard", "1", "dashboard", "Back to the whole dashboard", "Move"),
    KeyAction("screen.bundle", "2", "bundle", "Everything about this bundle", "Move"),
    KeyAction("screen.runs", "3", "all runs", "All runs, with those of long ago", "Move"),
    KeyAction("screen.snapshots", "5", "snapshots", "The snapshots of all bundles", "Move"),
    KeyAction(
        "screen.zoom", "z", "zoom", "One panel over the whole screen, or back", "Move", footer=8
    ),
    KeyAction("screen.help", "?,f1", "help", "The keys of what has the focus", "Find", footer=1),
    KeyAction(
        "screen.palette",
        ":,ctrl+p",
        "command",
        "Find any command by name",
        "Find",
        footer=2,
        in_palette=False,
    ),
    KeyAction(
        "screen.filter",
        "/",
        "filter",
        "Filter the panel: words, !not, state:dead, since:1h, ~regex",
        "Find",
        FILTERED,
        footer=3,
    ),
    KeyAction("screen.next_match", "n", "next", "Next match of the filter", "Find", FILTERED),
    KeyAction(
        "screen.previous_match",
        "N",
        "previous",
        "Previous match of the filter",
        "Find",
        FILTERED,
    ),
    KeyAction(
        "screen.faults", "!", "faults only", "Only what is down or not as configured", "Find"
    ),
    KeyAction(
        "screen.sort_left", "<", "sort by previous", "Sort by the column before", "Find", TABLES
    ),
    KeyAction("screen.sort_right", ">", "sort by next", "Sort by the next column", "Find", TABLES),
    KeyAction("screen.sort_order", "o", "reverse order", "Turn the order round", "Find", TABLES),
    KeyAction(
        "bundle.respawn",
        "R",
        "respawn",
        "Replace the process by a new generation",
        "Bundle",
        _BUNDLE_ANYWHERE,
        footer=5,
    ),
    KeyAction(
        "bundle.credentials",
        "c",
        "credentials",
        "Set or clear credentials, then respawn with them",
        "Bundle",
        _BUNDLE_ANYWHERE,
        footer=6,
    ),
    KeyAction(
        "bundle.why",
        "w",
        "why",
        "Why it is down: every check in order, and what mends it",
        "Bundle",
        (Place.BUNDLES, Place.DETAIL, Place.EVENTS, Place.BUNDLE),
        footer=4,
    ),
    KeyAction("bundle.start", "S", "start", "Start it", "Bundle", _OF_ONE_BUNDLE, footer=7),
    KeyAction(
        "bundle.stop",
        "s",
        "stop",
        "Stop it and everything it started",
        "Bundle",
        _OF_ONE_BUNDLE,
        footer=7,
    ),
    KeyAction("bundle.call", "t", "call tool", "Call one of its tools", "Bundle", _OF_ONE_BUNDLE),
    KeyAction("bundle.logs", "l", "logs", "Follow the log", "Bundle"),
    KeyAction(
        "bundle.previous_logs",
        "p",
        "previous logs",
        "The log of the generation before",
        "Bundle",
        _BUNDLE_ANYWHERE,
    ),
    KeyAction("run.list", "u", "runs", "The runs of this bundle", "Bundle", _OF_ONE_BUNDLE),
    KeyAction(
        "bundle.upgrade",
        "",
        "upgrade",
        "Install another version beside the present one, then respawn into it",
        "Bundle",
        _OF_ONE_BUNDLE,
    ),
    KeyAction(
        "bundle.rollback",
        "",
        "roll back",
        "Make a version that is kept the current one again",
        "Bundle",
        _OF_ONE_BUNDLE,
    ),
    KeyAction(
        "bundle.pin",
        "",
        "pin",
        "Replace a command that fetches its package by an installed copy",
        "Bundle",
        _OF_ONE_BUNDLE,
    ),
    KeyAction(
        "snapshot.show",
        "",
        "snapshot",
        "What its snapshot was made from, what the guards found, what starts cost",
        "Bundle",
        (Place.BUNDLES, Place.SNAPSHOT, Place.BUNDLE),
    ),
    KeyAction(
        "snapshot.build",
        "b",
        "build snapshot",
        "Prepare its start; what runs is not touched",
        "Bundle",
        _OF_ONE_SNAPSHOT,
        footer=4,
        footer_at=(Place.SNAPSHOT, *_OF_SNAPSHOTS),
    ),
    KeyAction(
        "snapshot.verify",
        "",
        "verify snapshot",
        "Start from its snapshot and compare the answers with those of a cold start",
        "Bundle",
        _OF_ONE_SNAPSHOT,
    ),
    KeyAction(
        "snapshot.policy",
        "",
        "snapshot policy",
        "Say whether starts use its snapshot, need it or leave it",
        "Bundle",
        _OF_ONE_SNAPSHOT,
    ),
    KeyAction(
        "snapshot.remove",
        "",
        "remove snapshot",
        "Forget its snapshot; what was started from it goes on",
        "Bundle",
        _OF_ONE_SNAPSHOT,
    ),
    KeyAction(
        "bundle.remove",
        "D",
        "remove",
        "Stop it and take it out; its name is typed",
        "Bundle",
        _OF_ONE_BUNDLE,
    ),
    KeyAction(
        "task.submit",
        "T",
        "submit task",
        "Begin a run of a task that a worker offers",
        "Bundle",
        _OF_TASKS,
        footer=4,
        footer_at=(Place.BUNDLE,),
    ),
    KeyAction(
        "schedule.list",
        "e",
        "schedules",
        "When tasks are submitted by themselves; pause, fire or remove one",
        "Bundle",
        _OF_TASKS,
        footer=6,
        footer_at=(Place.BUNDLE,),
    ),
    KeyAction(
        "schedule.put",
        "",
        "new schedule",
        "Say when a task is submitted by itself, or change that",
        "Screen",
        _OF_TASKS,
    ),
    KeyAction("schedule.pause", "", "pause a schedule", "Let it fire no more", "Screen", _OF_TASKS),
    KeyAction(
        "schedule.resume",
        "",
        "resume a schedule",
        "Let one fire again that is paused or disabled",
        "Screen",
        _OF_TASKS,
    ),
    KeyAction(
        "schedule.fire",
        "",
        "fire a schedule now",
        "Submit its task at once, as a run of its own",
        "Screen",
        _OF_TASKS,
    ),
    KeyAction(
        "schedule.remove",
        "",
        "remove a schedule",
        "Remove one that an operator made",
        "Screen",
        _OF_TASKS,
    ),
    KeyAction(
        "run.stop", "s", "stop", "Stop the run, or all marked ones", "Run", _OF_RUNS, footer=5
    ),
    KeyAction(
        "run.retry",
        "r",
        "retry",
        "Begin it again with the same input",
        "Run",
        (Place.RUN_LIST, Place.RUN),
        footer=6,
    ),
    KeyAction(
        "run.resume",
        "S",
        "resume",
        "Let a run go on that waits for the person it acts for",
        "Run",
        _OF_RUNS,
        footer=4,
    ),
    KeyAction(
        "run.replace",
        "",
        "replace the active run",
        "Stop the active run of this scope and wait until the scope is free",
        "Run",
        _OF_RUNS,
    ),
    KeyAction(
        "screen.stop_shown",
        "",
        "stop all shown",
        "Stop every active run that the filter leaves",
        "Run",
        (Place.RUN_LIST,),
        like="run.stop",
    ),
    KeyAction(
        "screen.mark",
        "space",
        "mark",
        "Mark the run, or take the mark away; esc takes all away",
        "Row",
        (Place.RUN_LIST,),
        footer=7,
    ),
    KeyAction(
        "screen.mark_range",
        "V",
        "mark up to here",
        "Mark every run from the last marked one to this one",
        "Row",
        (Place.RUN_LIST,),
    ),
    KeyAction(
        "logs.follow",
        "f",
        "follow",
        "Follow what is written, or pause",
        "Logs",
        (Place.LOGS,),
        footer=4,
    ),
    KeyAction("logs.wrap", "w", "wrap", "Wrap long lines", "Logs", (Place.LOGS,), footer=6),
    KeyAction(
        "logs.stamps", "t", "stamps", "Show or hide the times", "Logs", (Place.LOGS,), footer=7
    ),
    KeyAction("screen.copy", "y", "copy", "Copy the line, the id or the name", "Row"),
    KeyAction("screen.menu", "x", "more", "Every action of the row", "Row", TABLES, footer=8),
    KeyAction(
        "bundle.add",
        "a",
        "add",
        "Add a bundle: a file, folder, package, address or command",
        "Screen",
        footer=13,
    ),
    KeyAction(
        "bundle.import",
        "i",
        "import",
        "Import the servers that MCP clients of this machine have",
        "Screen",
        footer=14,
    ),
    KeyAction(
        "run.exec",
        "",
        "run a command",
        "Run a command in the workspace's folder, as a run",
        "Screen",
    ),
    KeyAction("screen.workspace", "W", "workspace", "Choose the workspace", "Screen"),
    KeyAction("screen.all_workspaces", "0", "all workspaces", "Show every workspace", "Screen"),
    KeyAction("screen.pause", "P", "pause", "Hold the picture still, or go on", "Screen"),
    KeyAction("screen.messages", "", "messages", "What was done and what went wrong", "Screen"),
    KeyAction("link.retry", "r", "retry", "Connect again now", "Screen", footer=3),
    KeyAction(
        "daemon.doctor",
        "d",
        "doctor",
        "Check what the daemon stands on, and how to mend what is wrong",
        "Screen",
    ),
    KeyAction(
        "vault.show", "", "vault", "Where the vault's key is kept and what it opens", "Screen"
    ),
    KeyAction(
        "vault.rotate", "", "rotate the vault key", "Seal everything with a new key", "Screen"
    ),
    KeyAction(
        "daemon.stop", "", "stop the daemon", "Stop the daemon with all bundles and runs", "Screen"
    ),
    KeyAction(
        "screen.detach", "q,ctrl+q", "detach", "Leave; bundles and runs go on", "Screen", footer=12
    ),
)
"""Every entry, in the order of the help."""


FILTER_KEYS: tuple[KeyAction, ...] = (
    KeyAction("filter.keep", "enter", "keep", "Keep the filter and go back to the panel", "Find"),
    KeyAction("filter.clear", "escape", "clear", "Clear the filter", "Find"),
)
"""What the footer shows while a filter is typed; the text field does these itself."""


def allowed(entries: Iterable[KeyAction], *, read_only: bool) -> tuple[KeyAction, ...]:
    """Return the entries that may be done: a read-only screen keeps what only reads."""
    return tuple(entry for entry in entries if not read_only or entry.risk == Risk.READS)


def bindings_at(entries: Iterable[KeyAction], place: Place | None) -> list[Binding]:
    """Return the bindings of one panel, or with None those of the screen as a whole."""
    return [
        Binding(entry.keys, entry.call, entry.label, tooltip=entry.help, id=entry.id)
        for entry in entries
        if entry.keys and _belongs(entry, place)
    ]


def _belongs(entry: KeyAction, place: Place | None) -> bool:
    is_global = entry.places == EVERYWHERE and not entry.on_widget
    return is_global if place is None else not is_global and place in entry.places


def footer_entries(entries: Sequence[KeyAction], place: Place) -> tuple[KeyAction, ...]:
    """Return what the footer shows for a panel, by rank."""
    ranked = [
        entry
        for entry in entries
        if entry.footer and place in entry.places and place in (entry.footer_at or entry.places)
    ]
    return tuple(sorted(ranked, key=lambda entry: entry.footer)[:FOOTER_LIMIT])


_KEY_TEXT = {
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "f1": "F1",
    "ctrl+d": "^d",
    "ctrl+u": "^u",
    "ctrl+p": "^p",
    "ctrl+q": "^q",
}


def key_text(keys: str, *, all_keys: bool = False) -> str:
    """Return keys as people read them: the first one, or all of them."""
    names = [_KEY_TEXT.get(key, key) for key in keys.split(",") if key]
    return " ".join(names) if all_keys else "".join(names[:1])


def key_sections(entries: Iterable[KeyAction]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the keys with what they do by group, in the order of the table."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for entry in entries:
        groups.setdefault(entry.group, []).append((key_text(entry.keys, all_keys=True), entry.help))
    return list(groups.items())
