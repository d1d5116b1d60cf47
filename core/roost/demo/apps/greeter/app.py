"""Greeter: an example web app that greets and says who it is.

By hand: ``python app.py``, or ``python -m roost.app --directory .`` from anywhere. It keeps its
guest book in the working directory, which under Roost is the bundle's own.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from string import Template
from typing import TextIO

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from roost import App

app = App("greeter")


class Greeting:
    """What is said: its form is loaded once, its words come from the environment of each start."""

    def load(self) -> None:
        rows = ("workspace", "generation", "pid", "up_s", "visits")
        self.page = Template("$words\n" + "".join(f"{row:<11} ${row}\n" for row in rows))

    def config_did_load(self) -> None:
        self.words = app.environ.get("GREETING") or "Hello"
        self.workspace = app.environ.get("ROOST_WORKSPACE", "none, started by hand")
        self.generation = app.environ.get("ROOST_MARK", "none").rpartition("/")[2]

    def will_ready(self) -> None:
        self.began = time.monotonic()
        print(f"greeter: says {self.words}", flush=True)


class GuestBook:
    """A line for every visit, in a file that is opened for one start and closed with it."""

    async def did_load(self) -> None:
        self.file = await app.open_client(self._open())
        self.visits = sum(1 for _ in self.file)
        app.on_close(lambda: print(f"greeter: closed after {self.visits} visits", flush=True))

    def add(self) -> int:
        self.visits += 1
        print(self.visits, file=self.file, flush=True)
        return self.visits

    @contextmanager
    def _open(self) -> Iterator[TextIO]:
        with open("visits.txt", "a+", encoding="ascii") as file:
            file.seek(0)
            yield file


greeting = app.add(Greeting())
guest_book = app.add(GuestBook())


async def welcome(_: Request) -> PlainTextResponse:
    up_s = int(time.monotonic() - greeting.began)
    facts = vars(greeting) | {"pid": os.getpid(), "up_s": up_s, "visits": guest_book.add()}
    return PlainTextResponse(greeting.page.substitute(facts))


async def health(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n")


app.web(Starlette(routes=[Route("/", welcome), Route("/healthz", health)]))

if __name__ == "__main__":
    sys.exit(app.run())
