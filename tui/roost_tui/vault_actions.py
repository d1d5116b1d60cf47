"""What can be done about the vault: see where its key is, and replace the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.contract import EngineAPI
from roost.errors import Unavailable
from roost_tui import render
from roost_tui.notes import Severity

if TYPE_CHECKING:
    from roost_tui.operations import Desk


async def show(desk: Desk) -> None:
    """Show where the key is kept and what it opens."""
    from roost_tui.modals.vault import VaultModal  # loaded after the first paint

    view = await _engine(desk).vault()
    desk.open_modal(VaultModal(view), None)


async def rotate(desk: Desk) -> None:
    """Replace the key, once the operator has said yes."""
    from roost_tui.modals import ConfirmModal  # loaded after the first paint

    engine = _engine(desk)
    view = await engine.vault()
    values = render.plural(view.values, "stored value")
    cut = f"{values} will be sealed anew; the former key opens nothing after that."
    question = "Seal everything with a new key? Bundles go on running."
    if await desk.ask(ConfirmModal("Rotate the vault's key", question, cut, yes_label="Rotate")):
        fresh = await engine.rotate_vault_key()
        desk.say(Severity.INFORMATION, f"the vault's key is {fresh.key_id} from now on")


def _engine(desk: Desk) -> EngineAPI:
    if desk.engine is None:
        raise Unavailable("nothing was done: the daemon is not connected; try again when it is")
    return desk.engine
