"""`FacadeBase`: who asks, and what every verb checks and records."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from roost.bundles import displayed
from roost.errors import RoostError, ShuttingDown, WorkspaceNotFound
from roost.models import AuditEntry
from roost.models.names import FIRST_WORKSPACE
from roost.vault import Scrubber

if TYPE_CHECKING:
    from roost.engine.engine import Engine

REASON_LIMIT = 500
"""Characters kept of a reason, which stands in every view of what it explains."""

UNSCRUBBED = "[not kept: it could not be scrubbed]"

logger = logging.getLogger(__name__)


class FacadeBase:
    """An engine, bound to the one who asks.

    Args:
        engine: a started engine.
        actor: who asks, as audit and transitions record it.
        generation_id: whose token the actor has shown, if it is a program of a bundle.
    """

    def __init__(self, engine: Engine, actor: str, generation_id: str | None = None) -> None:
        self._engine = engine
        self._actor = actor
        self._generation_id = generation_id

    def _check_workspace(self, workspace: str) -> None:
        if workspace not in self._engine.workspaces:
            raise WorkspaceNotFound(workspace)

    def _check_may_install(self, workspace: str) -> None:
        """Let a first install make its workspace, see `Installs`."""
        if self._engine.workspaces or workspace != FIRST_WORKSPACE:
            self._check_workspace(workspace)

    async def _fit_reason(self, workspace: str, name: str, reason: str | None) -> str | None:
        """Return a reason fit to be kept: one line, bounded, without the bundle's secrets.

        One that says nothing is none. A missing bundle has no secrets; its caller hears of it.
        """
        if reason is None or not displayed(reason):
            return None
        found = {view.name for view in self._engine.supervisor.views(workspace)}
        if name in found:
            fields = self._engine.supervisor.slot(workspace, name).definition.fields
            try:
                known = await self._engine.vault.resolve(workspace, name, fields)
            except RoostError:
                return UNSCRUBBED
            reason = Scrubber(known.secrets).text(reason)
        shown = displayed(reason)
        return shown if len(shown) <= REASON_LIMIT else shown[: REASON_LIMIT - 1] + "…"

    def _refuse_when_stopping(self) -> None:
        if self._engine.is_stopping:
            raise ShuttingDown

    async def _audit(
        self, action: str, workspace: str | None, target: str, outcome: str, detail: str = ""
    ) -> None:
        entry = AuditEntry(
            self._engine.clock.now(), self._actor, action, workspace, target, outcome, detail
        )
        try:
            await self._engine.store.audit.add(entry)
        except RoostError:
            logger.exception("an audit entry was not written: %s on %s", action, target)
