"""The command palette: everything in the table of actions that can be done now, and the themes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from roost_tui.actions import KeyAction, key_text
from roost_tui.dashboard import Dashboard
from roost_tui.overlay import Overlay

if TYPE_CHECKING:
    from roost_tui.app import RoostApp

Entry = tuple[str, str, Callable[[], object]]
"""Name, explanation and what it does."""


_GROUPS = ("Bundle", "Run", "Logs", "Row", "Find", "Screen", "Move")
"""Groups in the order of the palette: what changes something comes before what only moves."""


def _rank(entry: KeyAction) -> int:
    return _GROUPS.index(entry.group)


class ActionProvider(Provider):
    """Finds actions and themes by name."""

    def _entries(self) -> Iterator[Entry]:
        screen = self.screen
        if isinstance(screen, Dashboard | Overlay):
            for entry in sorted(screen.performable(), key=_rank):
                key = f"  ({key_text(entry.keys)})" if entry.keys else ""
                help_text = f"{entry.help}{key}"
                yield entry.label, help_text, partial(screen.action_perform, entry.id)
        app = cast("RoostApp", self.app)
        for name in sorted(app.available_themes):
            yield f"theme {name}", "Use this theme", partial(setattr, app, "theme", name)

    async def discover(self) -> Hits:
        for name, help_text, run in self._entries():
            if not name.startswith("theme "):
                yield DiscoveryHit(name, run, help=help_text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, help_text, run in self._entries():
            score = max(matcher.match(name), matcher.match(help_text) * 0.5)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, text=name, help=help_text)
