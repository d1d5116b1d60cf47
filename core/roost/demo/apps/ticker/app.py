"""Ticker: an example worker that counts, and goes on where its last start stopped.

By hand: ``python app.py``, or ``python -m roost.app --directory .`` from anywhere. It keeps its
count in the working directory, which under Roost is the bundle's own.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from roost import App

app = App("ticker")


class Pace:
    """How fast it counts, from the environment of each start."""

    def config_did_load(self) -> None:
        self.seconds = float(app.environ.get("TICKER_SECONDS") or 1)


class Count:
    """The number, in a file that is replaced as a whole, and a journal with a line for each."""

    async def did_load(self) -> None:
        self.path = Path("count.txt").absolute()
        self.value = int(self.path.read_text(encoding="ascii")) if self.path.exists() else 0
        self.journal = await app.open_client(self._open())
        app.on_close(lambda: print(f"ticker: closed at {self.value}", flush=True))

    def will_ready(self) -> None:
        print(f"ticker: goes on at {self.value}", flush=True)

    def advance(self) -> None:
        self.value += 1
        draft = self.path.with_suffix(".draft")
        draft.write_text(f"{self.value}\n", encoding="ascii")
        os.replace(draft, self.path)
        print(self.value, file=self.journal, flush=True)
        print(f"tick {self.value}", flush=True)

    @contextmanager
    def _open(self) -> Iterator[TextIO]:
        with open("journal.txt", "a", encoding="ascii") as file:
            yield file


pace = app.add(Pace())
count = app.add(Count())


@app.worker
async def tick() -> None:
    """Count until a stop is asked for."""
    while not app.is_stopping:
        count.advance()
        with suppress(TimeoutError):
            await asyncio.wait_for(app.stopping.wait(), timeout=pace.seconds)


if __name__ == "__main__":
    sys.exit(app.run())
