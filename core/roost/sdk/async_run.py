"""`begin_run_async` and `AsyncRun`: outside work of a program with an event loop."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

from roost.errors import RoostError
from roost.sdk.courier import Courier
from roost.sdk.endings import AlreadyFinished
from roost.sdk.outbox import Item
from roost.sdk.place import Place, find_place
from roost.sdk.request import Wish, take_lease
from roost.sdk.told import ROOM_LOOK_S, Told, checked_text, text_items


def begin_run_async(
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
) -> AsyncRun:
    """Return a run that begins with its ``async with`` block; see `begin_run`.

    Its reports go out from a task: an event loop that is blocked for longer than the lease loses
    it.
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
    return AsyncRun(wish, partial(find_place, workspace, data_dir))


class AsyncRun(Told):
    """Outside work under way in one event loop; the twin of `Run`."""

    def __init__(self, wish: Wish, find: partial[Place]) -> None:
        super().__init__()
        self._wish = wish
        self._find = find
        self._reporter: _Reporter | None = None

    async def __aenter__(self) -> Self:
        taking = asyncio.create_task(
            asyncio.to_thread(take_lease, self._wish, self._find, time.sleep)
        )
        try:
            self._courier = await asyncio.shield(taking)
        except asyncio.CancelledError as cancelled:
            await self._give_back(taking, cancelled)
            raise
        if self._courier is not None:
            self._reporter = _Reporter(self._courier)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._reporter is None or self._courier is None:
            return
        await asyncio.shield(self._reporter.close())
        try:
            await asyncio.shield(asyncio.to_thread(self._courier.finish, self._ending(error)))
        except RoostError as failure:
            if error is None:
                raise
            error.add_note(f"Besides, its run was not settled: {failure.message}")

    async def _give_back(self, taking: asyncio.Task[Courier | None], error: BaseException) -> None:
        """Settle a run that nobody waits for any more: its begin was under way."""
        with suppress(RoostError, AlreadyFinished):
            if (courier := await taking) is not None:
                await asyncio.to_thread(courier.finish, self._ending(error))

    async def step(
        self, message: str, current: float | None = None, total: float | None = None
    ) -> None:
        """Tell that a step is reached; see `Run.step`."""
        await self._tell(self._step(message, current, total))

    async def emit(self, text: str) -> None:
        """Tell a line of output; see `Run.emit`."""
        for item in text_items(text):
            await self._tell(item)

    async def link(self, url: str) -> None:
        """Tell where the output lies; see `Run.link`."""
        await self._tell(Item(link=checked_text(url)))

    def child(self, title: str, *, input: Any = None, scope: str | None = None) -> AsyncRun:
        """Return a run that this one begins; a stop of this one stops it too."""
        wish = Wish(
            title=title,
            input=input,
            scope=scope,
            parent=self.id,
            lease_s=self._wish.lease_s,
            required=self._wish.required,
        )
        return AsyncRun(wish, self._find)

    async def _tell(self, item: Item) -> None:
        self._check()
        courier = self._courier
        if courier is None or self._reporter is None:
            return
        while courier.outbox.is_full and not courier.is_over:
            await asyncio.to_thread(courier.outbox.wait_for_room, ROOM_LOOK_S)
        courier.check()
        courier.tell(item)
        self._reporter.wake()


class _Reporter:
    """A task that makes the exchanges, each in a thread."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier
        self._signal = asyncio.Event()
        self._is_closing = False
        self._task = asyncio.create_task(self._work(), name="roost-run")

    def wake(self) -> None:
        """Look anew what is due."""
        self._signal.set()

    async def close(self) -> None:
        """Make no further exchange and wait for the one under way."""
        self._is_closing = True
        self.wake()
        await self._task

    async def _work(self) -> None:
        while not self._is_closing:
            due_s = self._courier.due_in()
            if due_s == 0:
                await asyncio.to_thread(self._courier.exchange)
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._signal.wait(), due_s)
            self._signal.clear()
