"""Clients: refused while an app is only loaded, owned by their component once they are open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

import pytest
from tests.lifecycle.tracing import LIMIT_S, loaded, raising, restored, served, until_waiting_for

from roost.errors import ClientRefused, HookFailed, LifecycleClosed
from roost.lifecycle import Lifecycle

REFUSAL = "'store' may not open a client now.*Open it in did_load or will_ready"


class Clients:
    """Opens clients and counts those that are open."""

    def __init__(self) -> None:
        self.open: list[str] = []

    @asynccontextmanager
    async def client(self, name: str = "client") -> AsyncIterator[str]:
        await asyncio.sleep(0)
        self.open.append(name)
        yield name
        self.open.remove(name)

    @contextmanager
    def sync_client(self) -> Iterator[str]:
        self.open.append("sync")
        yield "sync"
        self.open.remove("sync")


class Store:
    """A component that opens a client wherever it is told to."""

    def __init__(self, lifecycle: Lifecycle, clients: Clients, step: str) -> None:
        self._lifecycle = lifecycle
        self._clients = clients
        setattr(self, step, self.connect)

    async def connect(self) -> None:
        await self._lifecycle.open_client(self._clients.client())


@pytest.mark.parametrize("step", ["config_will_load", "load"])
@pytest.mark.parametrize("start", [loaded, served])
async def test_a_client_opened_while_loading_is_refused_by_component_and_phase(
    step: str, start: Callable[[Lifecycle], Awaitable[None]]
) -> None:
    clients, lifecycle = Clients(), Lifecycle("lab")
    lifecycle.add("store", Store(lifecycle, clients, step))
    with pytest.raises(HookFailed, match=REFUSAL) as raised:
        await start(lifecycle)
    assert isinstance(raised.value.__cause__, ClientRefused)
    assert clients.open == []


@pytest.mark.parametrize("step", ["did_load", "will_ready", "did_ready", "after_restore"])
async def test_the_same_call_works_after_a_restore_and_is_undone_by_the_close(step: str) -> None:
    clients, lifecycle = Clients(), Lifecycle("lab")
    lifecycle.add("store", Store(lifecycle, clients, step))
    await loaded(lifecycle)
    assert clients.open == []
    await restored(lifecycle)
    assert clients.open == ["client"]
    await lifecycle.close()
    assert clients.open == []


async def test_a_client_opened_before_the_snapshot_is_refused_by_the_check_alone() -> None:
    lifecycle = Lifecycle("lab")
    lifecycle.add("store", before_snapshot=lifecycle.check_may_open_client)
    await loaded(lifecycle)
    with pytest.raises(HookFailed, match=REFUSAL):
        await lifecycle.freeze()
    with pytest.raises(ClientRefused, match="component 'lab' may not open"):
        lifecycle.check_may_open_client()
    await lifecycle.close()


async def test_clients_are_closed_in_reverse_order_and_may_be_plain_ones() -> None:
    clients, lifecycle = Clients(), Lifecycle("lab")
    await served(lifecycle)
    assert await lifecycle.open_client(clients.client("first")) == "first"
    assert await lifecycle.open_client(clients.sync_client()) == "sync"
    seen: list[list[str]] = []
    lifecycle.on_close(lambda: seen.append(list(clients.open)))
    await lifecycle.close()
    assert seen == [["first", "sync"]] and clients.open == []


async def test_a_client_of_an_app_that_is_closed_meanwhile_is_closed_too() -> None:
    has_begun, may_end = asyncio.Event(), asyncio.Event()
    clients, lifecycle = Clients(), Lifecycle("lab")

    @asynccontextmanager
    async def slow() -> AsyncIterator[None]:
        has_begun.set()
        await may_end.wait()
        async with clients.client():
            yield

    await served(lifecycle)
    async with asyncio.timeout(LIMIT_S):
        opening = asyncio.create_task(_open(lifecycle, slow()))
        await has_begun.wait()
        closing = asyncio.create_task(lifecycle.close())
        await closing
        may_end.set()
        assert await opening == "closed"
    assert clients.open == []
    with pytest.raises(LifecycleClosed):
        lifecycle.check_may_open_client()


async def _open(lifecycle: Lifecycle, client: AbstractAsyncContextManager[None]) -> str:
    try:
        await lifecycle.open_client(client)
    except LifecycleClosed:
        return "closed"
    return "open"


async def test_a_task_of_one_component_is_not_refused_because_another_one_loads() -> None:
    clients, lifecycle = Clients(), Lifecycle("lab")
    may_load, opened = asyncio.Event(), asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    async def connect() -> None:
        await until_waiting_for(lifecycle, "slow")
        await lifecycle.open_client(clients.client())
        opened.set()

    lifecycle.add("early", config_did_load=lambda: tasks.append(asyncio.create_task(connect())))
    lifecycle.add("slow", load=may_load.wait)
    async with asyncio.timeout(LIMIT_S):
        booting = asyncio.create_task(lifecycle.boot())
        await opened.wait()
        may_load.set()
        await booting
    await lifecycle.close()
    assert clients.open == []


async def test_a_client_whose_opening_fails_leaves_nothing_to_close() -> None:
    @contextmanager
    def broken() -> Iterator[None]:
        raising(OSError("refused"))()
        yield

    lifecycle = Lifecycle("lab")
    await served(lifecycle)
    with pytest.raises(OSError, match="refused"):
        await lifecycle.open_client(broken())
    assert await lifecycle.close() == ()
