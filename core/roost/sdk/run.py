"""`begin_run` and `Run`: outside work of an ordinary program."""

from __future__ import annotations

import time
from functools import partial
from types import TracebackType
from typing import Any, Self

from roost.errors import RoostError
from roost.sdk.outbox import Item
from roost.sdk.place import Place, find_place
from roost.sdk.reporter import Reporter
from roost.sdk.request import Wish, take_lease
from roost.sdk.told import ROOM_LOOK_S, Told, checked_text, text_items


def begin_run(
    title: str,
    *,
    input: Any = None,
    scope: str | None = None,
    key: str | None = None,
    on_behalf_of: str | None = None,
    lease_s: float = 60.0,
    required: bool = True,
    workspace: str | None = None,
    data_dir: str | None = None,
) -> Run:
    """Return a run that begins with its ``with`` block and ends with it.

    The block's end settles it: `succeeded`, `failed` when an exception leaves it, `aborted` when it
    ends because of a stop.

    Args:
        title: what it does.
        input: what it works on; anything that is JSON.
        scope: at most one run is active in a scope.
        key: idempotency key; the same key never begins a second run.
        on_behalf_of: for whom it acts.
        lease_s: after this many seconds without a sign of life it counts as abandoned; 5 to a day.
        required: False lets the work go on unreported when no daemon answers, or none that has the
            workspace.
        workspace: None takes the program's own, or the only one there is.
        data_dir: None takes the program's own, or the default one.
    """
    wish = Wish(
        title=title,
        input=input,
        scope=scope,
        key=key,
        on_behalf_of=on_behalf_of,
        lease_s=lease_s,
        required=required,
    )
    return Run(wish, partial(find_place, workspace, data_dir))


class Run(Told):
    """Outside work under way. Its methods may be called from any thread.

    Entering the block raises `RoostUnreachable`, `AlreadyActive` (the scope has a run), or
    `AlreadyFinished` (the key has had its run).
    """

    def __init__(self, wish: Wish, find: partial[Place]) -> None:
        super().__init__()
        self._wish = wish
        self._find = find
        self._reporter: Reporter | None = None

    def __enter__(self) -> Self:
        self._courier = take_lease(self._wish, self._find, time.sleep)
        if self._courier is not None:
            self._reporter = Reporter(self._courier)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._reporter is None or self._courier is None:
            return
        self._reporter.close()
        try:
            self._courier.finish(self._ending(error))
        except RoostError as failure:
            if error is None:
                raise
            error.add_note(f"Besides, its run was not settled: {failure.message}")

    def step(self, message: str, current: float | None = None, total: float | None = None) -> None:
        """Tell that a step is reached.

        Args:
            message: what is done now.
            current: number of the step; None counts on.
            total: how many there are, where that is known.

        Raises:
            LeaseLost, RoostUnreachable: nobody hears of this work any more.
        """
        self._tell(self._step(message, current, total))

    def emit(self, text: str) -> None:
        """Tell a line of output; raises as `step` does."""
        for item in text_items(text):
            self._tell(item)

    def link(self, url: str) -> None:
        """Tell where the output lies; raises as `step` does."""
        self._tell(Item(link=checked_text(url)))

    def child(self, title: str, *, input: Any = None, scope: str | None = None) -> Run:
        """Return a run that this one begins; a stop of this one stops it too."""
        wish = Wish(
            title=title,
            input=input,
            scope=scope,
            parent=self.id,
            lease_s=self._wish.lease_s,
            required=self._wish.required,
        )
        return Run(wish, self._find)

    def _tell(self, item: Item) -> None:
        self._check()
        courier = self._courier
        if courier is None or self._reporter is None:
            return
        while courier.outbox.is_full and not courier.is_over:
            courier.outbox.wait_for_room(ROOM_LOOK_S)
        courier.check()
        courier.tell(item)
        self._reporter.wake()
