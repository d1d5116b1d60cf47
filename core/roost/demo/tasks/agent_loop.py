"""Agent loop: a durable task whose state is its own, in a SQLite file beside its module.

``roost add --worker agent_loop --directory DIR``, and then from any program
``submit("agent.answer", {"question": "Which is the highest mountain of Japan?"})``.
A loop that may take a thousand turns keeps them in a store of its own, by the run's id: an attempt
that comes after a crash reads how far the last one came, and goes on behind it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from roost import SyncTaskContext, task

STORE = "AGENT_STORE"
"""Variable with the path of the store."""

TURNS_AT_MOST = 6

FACTS = {"highest mountain of Japan": "Mount Fuji, 3776 m"}


@task("agent.answer", retries=3, transient=(ConnectionError, TimeoutError))
def answer(ctx: SyncTaskContext, input: dict[str, Any]) -> dict[str, Any]:
    """Think and call tools until there is an answer."""
    with closing(open_store()) as store:
        notes = notes_of(store, ctx.run_id)
        if notes:
            ctx.output(f"attempt {ctx.attempt} goes on behind turn {len(notes)}")
        while len(notes) < TURNS_AT_MOST:
            ctx.check_stop()
            tool, argument = think(input["question"], notes)
            if tool == "answer":
                return {"answer": argument, "turns": len(notes)}
            notes.append(TOOLS[tool](argument))
            keep(store, ctx.run_id, len(notes), notes[-1])
            ctx.progress(len(notes), None, f"{tool}: {argument}")
    return {"answer": "I do not know", "turns": TURNS_AT_MOST}


def open_store() -> sqlite3.Connection:
    """Return the agent's own store."""
    path = os.environ.get(STORE) or str(Path(__file__).with_name("agent.db"))
    store = sqlite3.connect(path)
    store.execute("CREATE TABLE IF NOT EXISTS turns (run, turn, note, PRIMARY KEY (run, turn))")
    return store


def notes_of(store: sqlite3.Connection, run_id: str) -> list[str]:
    """Return what earlier turns of a run came to."""
    rows = store.execute("SELECT note FROM turns WHERE run = ? ORDER BY turn", (run_id,))
    return [str(note) for (note,) in rows]


def keep(store: sqlite3.Connection, run_id: str, turn: int, note: str) -> None:
    """Keep one turn, before anything is built on it."""
    with store:
        store.execute("INSERT INTO turns VALUES (?, ?, ?)", (run_id, turn, note))


def search(words: str) -> str:
    """Look something up: a tool."""
    return FACTS.get(words, f"nothing about {words}")


def feet(text: str) -> str:
    """Turn metres into feet: another tool."""
    metres = [int(word) for word in text.split() if word.isdigit()]
    return ", ".join(f"{round(number / 0.3048)} ft" for number in metres) or "no height"


TOOLS: dict[str, Callable[[str], str]] = {"search": search, "feet": feet}


def think(question: str, notes: Sequence[str]) -> tuple[str, str]:
    """Choose the next tool, or answer: where a real agent asks its model."""
    if not notes:
        return "search", question.removeprefix("Which is the ").removesuffix("?")
    if len(notes) == 1:
        return "feet", notes[0]
    return "answer", "; ".join(notes)
