"""`EventStream`: a response of server-sent events that stays alive while it is quiet.

It ends when its frames end, when the viewer leaves and when it is cancelled; on every one of these
paths its tasks are gone before it returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from roost.api.frames import frame
from roost.api.refusals import answer_of, internal_error
from roost.clock import Clock
from roost.errors import RoostError

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 25.0
"""Silence after which a comment is sent: below the 30 s at which common proxies give up."""

_COMMENT = b": keep-alive\n\n"


class EventStream(Response):
    """Sends frames as they come, and a comment whenever `KEEP_ALIVE_S` passed since the last.

    Args:
        frames: what is sent; closed by the response.
        clock: measures the silence.
        status: HTTP status of the answer.
    """

    media_type = "text/event-stream"

    def __init__(
        self, frames: AsyncGenerator[bytes, None], clock: Clock, *, status: int = 200
    ) -> None:
        super().__init__(
            status_code=status, headers={"cache-control": "no-store", "x-accel-buffering": "no"}
        )
        del self.headers["content-length"]
        self._frames = frames
        self._clock = clock
        self._last_frame_at = clock.monotonic()
        self._turn = asyncio.Lock()
        """Held while a piece is sent: a slow viewer must not get a comment behind a late frame."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send_frames(send))
        others = [
            asyncio.create_task(self._keep_alive(send)),
            asyncio.create_task(_wait_for_leaving(receive)),
        ]
        try:
            await asyncio.wait({sending, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, *others):
                task.cancel()
            await asyncio.gather(sending, *others, return_exceptions=True)
            await self._frames.aclose()
        # Only now, when no keep-alive can come behind it.
        if not sending.cancelled() and sending.exception() is None:
            await _end(send)

    async def _send_frames(self, send: Send) -> None:
        start = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        await send(start)
        while (piece := await self._next_frame()) is not None:
            async with self._turn:
                await self._send_piece(send, piece)

    async def _next_frame(self) -> bytes | None:
        """Turn an error into the last frame: the status of the response has long been sent."""
        try:
            return await anext(self._frames, None)
        except RoostError as error:
            return frame("error", answer_of(error))
        except Exception:
            logger.exception("an event stream failed")
            return frame("error", answer_of(internal_error()))

    async def _send_piece(self, send: Send, piece: bytes) -> None:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        self._last_frame_at = self._clock.monotonic()

    async def _keep_alive(self, send: Send) -> None:
        while True:
            await self._clock.sleep(self._silence_left_s)
            async with self._turn:
                # A frame may have waited for the viewer until now.
                if self._silence_left_s <= 0:
                    await self._send_piece(send, _COMMENT)

    @property
    def _silence_left_s(self) -> float:
        return self._last_frame_at + KEEP_ALIVE_S - self._clock.monotonic()


async def _end(send: Send) -> None:
    """Complete the response; when the viewer is gone there is nobody to tell."""
    with contextlib.suppress(OSError):
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _wait_for_leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
