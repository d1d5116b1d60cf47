"""`Tokens`: what supervised programs show when they report runs of their own."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from roost.errors import RoostError
from roost.runs import Ending, RunRecorder

logger = logging.getLogger(__name__)

T = TypeVar("T")

TOKEN_BYTES = 32

GONE = Ending.failed("lost", "the program that did it has ended; nobody knows how far it came")

RUNS_REMEMBERED = 10_000
"""Of one process; only the newest ones are still reported."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one token allows, in one workspace and in the name of one bundle."""

    workspace: str
    bundle: str
    generation_id: str
    _run_ids: OrderedDict[str, bool] = field(default_factory=OrderedDict, repr=False)
    """Each with whether it goes on."""
    _held: OrderedDict[str, None] = field(default_factory=OrderedDict, repr=False)
    _followed: OrderedDict[str, None] = field(default_factory=OrderedDict, repr=False)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The runs that were begun with this token and not finished with it."""
        return tuple(run_id for run_id, goes_on in self._run_ids.items() if goes_on)

    def own(self, run_id: str) -> None:
        """Remember a run that was begun with this token."""
        self._run_ids[run_id] = True
        _forget_oldest(self._run_ids)

    def finished(self, run_id: str) -> None:
        """Remember that a run was finished; it can still be read."""
        self._run_ids[run_id] = False

    def owns(self, run_id: str) -> bool:
        """Say whether a run was begun with this token."""
        return run_id in self._run_ids

    def hold(self, run_id: str) -> None:
        """Remember a run that was claimed with this token; what becomes of it is its task's."""
        self._held[run_id] = None
        self._held.move_to_end(run_id)
        _forget_oldest(self._held)

    def holds(self, run_id: str) -> bool:
        """Say whether a run was claimed with this token."""
        if run_id in self._held:
            self._held.move_to_end(run_id)  # one that is reported for is not the oldest
            return True
        return False

    def follow(self, run_id: str) -> None:
        """Remember a run that was submitted with this token: it can be read."""
        self._followed[run_id] = None
        _forget_oldest(self._followed)

    def knows(self, run_id: str) -> bool:
        """Say whether a run was begun, claimed or submitted with this token."""
        return run_id in self._run_ids or run_id in self._held or run_id in self._followed


class Tokens:
    """One token for each living generation; they are kept in memory, and hashed.

    Args:
        socket_path: where the daemon listens; the token's owner is told.
        on_gone: given what a token allowed once its program has ended.
    """

    def __init__(
        self, socket_path: str, on_gone: Callable[[Grant], None] = lambda grant: None
    ) -> None:
        self._socket_path = socket_path
        self._on_gone = on_gone
        self._grants: dict[str, Grant] = {}
        """By the token's hash."""

    def hand_over(self, workspace: str, bundle: str, generation_id: str) -> bytes:
        """Return what a new process is handed: its token, and where to use it."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._grants[_hash(token)] = Grant(workspace, bundle, generation_id)
        facts = {
            "socket": self._socket_path,
            "workspace": workspace,
            "bundle": bundle,
            "token": token,
        }
        return json.dumps(facts).encode()

    def revoke(self, generation_id: str) -> None:
        """Let the token of a generation open nothing any more; safe to call again."""
        gone = [key for key, grant in self._grants.items() if grant.generation_id == generation_id]
        for key in gone:
            self._on_gone(self._grants.pop(key))

    def grant_of(self, token: str) -> Grant | None:
        """Return what a token allows; None for one that nobody has."""
        return self._grants.get(_hash(token))


async def end_unfinished(grant: Grant, recorder: RunRecorder) -> None:
    """Settle the runs of a program that is gone: nobody else can go on with them."""
    for run_id in grant.unfinished:
        try:
            await recorder.finalize(grant.workspace, run_id, GONE)
        except RoostError:
            logger.exception("run %s is left to the sweep: its program has ended", run_id)


def _forget_oldest(runs: OrderedDict[str, T]) -> None:
    while len(runs) > RUNS_REMEMBERED:
        runs.popitem(last=False)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
