"""`VaultModal`: where the vault's key is kept and what it opens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from roost.models import VaultView
from roost_tui.modals.fact_row import FactRow
from roost_tui.modals.frame import Frame
from roost_tui.version_text import vault_facts


class VaultModal(Frame[None]):
    """The state of the vault; it never holds the key.

    Args:
        view: what the engine tells of it.
    """

    DEFAULT_CSS = """
    VaultModal > .panel { width: 84; }
    """

    body_takes_focus = True

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "close", "Close", id="vault.close", show=False),
    ]

    def __init__(self, view: VaultView) -> None:
        super().__init__("Vault")
        self._view = view

    def compose_body(self) -> Iterable[Widget]:
        """Yield a row per fact."""
        for fact in vault_facts(self._view):
            yield FactRow(fact)
