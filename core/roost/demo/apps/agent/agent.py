"""Agent: an example loop of thoughts and tool calls, without any framework, reported as runs.

By hand: ``python agent.py "Which is the highest mountain of Japan?"``; with no question it answers
those it knows. With ``--keep-going`` it asks itself again and again, as a bundle would. It works
with and without Roost: what reports are the block in `answer` and three calls in `work`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from itertools import cycle

from roost import Run, StopRequested, begin_run

PACE_S = float(os.environ.get("AGENT_PACE_S", "0.3"))
"""What a real model and real tools would take for each step, in seconds."""

FACTS = {
    "highest mountain of Japan": "Mount Fuji, 3776 m",
    "highest mountain of France": "Mont Blanc, 4806 m",
}
STEPS_AT_MOST = 6


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


def work(question: str, run: Run) -> str:
    """Think and call tools until there is an answer."""
    notes: list[str] = []
    for number in range(1, STEPS_AT_MOST + 1):
        run.check_stop()
        tool, argument = think(question, notes)
        run.step(f"{tool}: {argument}", number)
        if tool == "answer":
            return argument
        time.sleep(PACE_S)
        notes.append(TOOLS[tool](argument))
        run.emit(notes[-1])
    return "I do not know"


def answer(question: str) -> None:
    """Work on one question, as a run of its own."""
    try:
        with begin_run(question[:200], input={"question": question}, required=False) as run:
            run.result = work(question, run)
            print(run.result, flush=True)
    except StopRequested:
        print(f"agent: stopped at {question!r}", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Answer questions, each as a run."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    keeps_going = "--keep-going" in arguments
    asked = [text for text in arguments if not text.startswith("--")]
    questions = asked or [f"Which is the {subject}?" for subject in FACTS]
    try:
        for question in cycle(questions) if keeps_going else questions:
            answer(question)
    except KeyboardInterrupt:
        print("agent: ended", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
