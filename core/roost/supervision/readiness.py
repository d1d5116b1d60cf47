"""`WebProbe`: when a web bundle is ready, and where it answers."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

from roost.clock import Clock

POLL_S = 0.1
"""Between two questions, while the answer comes at once and is not the right one."""

FIRST_POLL_S = 0.004
"""The first pause between questions."""

POLL_GROWTH = 1.3
"""Every further pause is so much longer, up to `POLL_S`: readiness is seen a third too late at
most, for a dozen questions more."""

FIRST_KNOCK_S = 0.001
"""The first pause while nobody listens: what starts from a snapshot does after some 10 ms."""

KNOCK_GROWTH = 1.1
"""To knock takes some 10 us, so it is done more often: a listener is seen a tenth too late at most,
up to `POLL_S`."""

ASK_AGAIN_S = 5.0
"""An answer that stays out this long may be slow or lost: another question is put beside it."""

ASKED_AT_ONCE = 3
"""Questions that wait for their answers at the same time."""

POLITE_S = 0.1
"""How long the rest of an answer is read, so that its server can finish writing it."""

POLITE_BYTES = 65536

HOSTS = ("127.0.0.1", "::1")
"""Where a bundle may listen; some programs listen on IPv6 only when they are told `localhost`."""

_NO_HTTP = (ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


class PortTaken(Exception):
    """A program that is not the bundle's answers on the bundle's port; the text names it."""


class WebProbe:
    """Asks one start of a web bundle for a path until it answers 2xx.

    Args:
        port: the port it was told to listen on.
        path: what is asked for.
        clock: paces the questions.
        foreign_listener: names the program outside the bundle that answers on a host and port, or
            returns None.
    """

    def __init__(
        self,
        port: int,
        path: str,
        clock: Clock,
        foreign_listener: Callable[[str, int], str | None],
    ) -> None:
        self._port = port
        self._path = path
        self._clock = clock
        self._foreign_listener = foreign_listener
        self._host = HOSTS[0]
        """Where it answered, from then on."""
        self.address: str | None = None
        """Where it answered; None until it is ready."""
        self.finding = f"nothing was asked of port {port} yet"
        """What the last question found, in words."""
        self._begun: dict[str, socket.socket] = {}
        """The connection for the first question, by host; whoever takes it out closes it."""

    async def wait(self) -> None:
        """Return once it is ready; the caller bounds the wait.

        Raises:
            PortTaken: somebody else answers on its port.
        """
        asked: set[asyncio.Task[bool]] = set()
        pauses = _pauses()
        try:
            await self._await_listener()
            while True:
                if len(asked) < ASKED_AT_ONCE:
                    asked.add(asyncio.create_task(self.ask(), name=f"probe {self._port}"))
                answered, asked = await asyncio.wait(
                    asked, timeout=ASK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED
                )
                if any(await asyncio.gather(*answered)):
                    return
                if answered:
                    await self._clock.sleep(next(pauses))
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            for begun in self._begun.values():
                begun.close()
            self._begun.clear()

    async def _await_listener(self) -> None:
        """Return when somebody may listen, with a connection for the first question."""
        pauses = _pauses(FIRST_KNOCK_S, KNOCK_GROWTH)
        while True:
            for host in HOSTS:
                begun = _knock(host, self._port)
                if begun is not None:
                    self._begun[host] = begun
                    return
            self.finding = self._nobody
            await self._clock.sleep(next(pauses))

    async def check(self, bound_s: float) -> str | None:
        """Ask once whether it still answers, where it did when it became ready.

        Any answer below 500 will do: a page that has moved or asks for a login is served by a
        program that works.

        Returns:
            None when it answered so within `bound_s` seconds, else what was found instead.
        """
        question = f"GET {self._path} on port {self._port}"
        try:
            async with asyncio.timeout(bound_s):
                status = await self._status_now()
        except TimeoutError:
            return f"{question} has no answer within {bound_s:g} s"
        except OSError as error:
            return f"{question} cannot be asked ({error.strerror or type(error).__name__})"
        except _NO_HTTP:
            return f"{question} is not answered in HTTP"
        return None if status < 500 else f"{question} answers {status}"

    async def _status_now(self) -> int:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(_request(self._path, self._host, self._port))
            await writer.drain()
            status = await _status(reader)
            await _hear_out(reader)
            return status
        finally:
            writer.close()

    async def ask(self) -> bool:
        """Put one question; say whether it was answered as it should be.

        Raises:
            PortTaken: somebody else answers on its port.
        """
        for host in HOSTS:
            try:
                reader, writer = await self._connect(host)
            except OSError:
                continue
            try:
                return await self._read_answer(host, reader, writer)
            except (OSError, *_NO_HTTP):
                self.finding = f"what listens on port {self._port} gives no answer in HTTP"
                return False
            finally:
                writer.close()
        self.finding = self._nobody
        return False

    @property
    def _nobody(self) -> str:
        return f"nothing listens on port {self._port}, which its PORT tells it"

    async def _connect(self, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        begun = self._begun.pop(host, None)
        if begun is None:
            return await asyncio.open_connection(host, self._port)
        try:
            return await asyncio.open_connection(sock=begun)
        except BaseException:
            begun.close()
            raise

    async def _read_answer(
        self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        question = f"GET {self._path} on port {self._port}"
        self.finding = f"{question} has no answer yet"
        writer.write(_request(self._path, host, self._port))
        await writer.drain()
        status = await _status(reader)
        self.finding = f"{question} answers {status} and not 2xx"
        is_ready = 200 <= status < 300
        if is_ready:
            self._check_listener(host)
            self._host, self.address = host, _address(host, self._port)
        await _hear_out(reader)
        return is_ready

    def _check_listener(self, host: str) -> None:
        foreign = self._foreign_listener(host, self._port)
        if foreign is not None:
            raise PortTaken(foreign)


class ListenerProbe:
    """Waits until a start of a bundle listens on its port.

    Args:
        host: host of its address.
        port: the port it was told to listen on.
        clock: paces the looks.
        foreign_listener: names the program outside the bundle that answers on a host and port, or
            returns None.
    """

    def __init__(
        self,
        host: str,
        port: int,
        clock: Clock,
        foreign_listener: Callable[[str, int], str | None],
    ) -> None:
        self._hosts = HOSTS if host == "localhost" else (host,)
        self._port = port
        self._clock = clock
        self._foreign_listener = foreign_listener
        self.finding: str | None = f"nothing listens on port {port}, which its PORT tells it"
        """What the last look found, in words; None once it listens."""

    async def wait(self) -> None:
        """Return once it listens; the caller bounds the wait.

        Raises:
            PortTaken: somebody else answers on its port.
        """
        pauses = _pauses()
        while not await self._listens():
            await self._clock.sleep(next(pauses))
        self.finding = None

    async def _listens(self) -> bool:
        for host in self._hosts:
            try:
                _, writer = await asyncio.open_connection(host, self._port)
            except OSError:
                continue
            writer.close()
            foreign = self._foreign_listener(host, self._port)
            if foreign is not None:
                raise PortTaken(foreign)
            return True
        return False


def _knock(host: str, port: int) -> socket.socket | None:
    """Begin a connection; None where nobody listens, which this machine tells at once."""
    try:
        begun = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:
        return None
    begun.setblocking(False)
    code = begun.connect_ex((host, port))
    if code == errno.EINPROGRESS:
        code = begun.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        begun.close()
        return None
    return begun


def _pauses(first_s: float = FIRST_POLL_S, growth: float = POLL_GROWTH) -> Iterator[float]:
    """Yield the seconds between questions."""
    pause = first_s
    while True:
        yield pause
        pause = min(growth * pause, POLL_S)


async def _status(reader: asyncio.StreamReader) -> int:
    """Return the status of an answer, past those that only announce it (1xx).

    Raises:
        ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError: it is no HTTP.
    """
    while True:
        line = await reader.readuntil(b"\n")
        version, status = line.split()[:2]
        if not version.startswith(b"HTTP/"):
            raise ValueError(line)
        if not 100 <= int(status) < 200:
            return int(status)
        while (await reader.readuntil(b"\n")).strip():
            pass


async def _hear_out(reader: asyncio.StreamReader) -> None:
    """Read on for a moment: a server whose reader leaves at once logs an error."""
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(POLITE_S):
            await reader.readexactly(POLITE_BYTES)


def _request(path: str, host: str, port: int) -> bytes:
    named = f"[{host}]" if ":" in host else host
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {named}:{port}",
        "User-Agent: roost",
        "Accept: */*",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


def _address(host: str, port: int) -> str:
    named = f"[{host}]" if ":" in host else host
    return f"http://{named}:{port}"
