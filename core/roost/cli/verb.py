"""`Verb`: what a verb accepts and what it does."""

from __future__ import annotations

from roost.cli.arguments import Option, Syntax

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roost.cli.arguments import Arguments
    from roost.cli.session import Session

GLOBAL_OPTIONS = (
    Option("-w --workspace", "NAME", "the workspace; without it all, or the only one"),
    Option("--data-dir", "DIR", "the daemon's data directory, instead of ROOST_DATA_DIR"),
    Option("--json", "", "results and errors as JSON on stdout"),
    Option("--read-only", "", "refuse everything that changes something"),
    Option("-h --help", "", "this help, or a verb's own"),
)
"""Accepted before and behind every verb."""


class Verb(Syntax):
    """One verb.

    Args:
        words: the words that call it, such as ``run stop``.
        run: does it and returns the exit code.
        operands: see `Syntax`.
        options: its own options; the global ones are added.
        rest: what may follow ``--``.
        details: further lines of its help.
    """

    __slots__ = ("details", "own_options", "run", "words")

    def __init__(
        self,
        words: str,
        run: Callable[[Session, Arguments], int],
        operands: str = "",
        options: Sequence[Option] = (),
        *,
        rest: str = "",
        details: str = "",
    ) -> None:
        super().__init__(f"roost {words}", operands, (*options, *GLOBAL_OPTIONS), rest)
        self.words = words
        self.run = run
        self.own_options = tuple(options)
        self.details = details


def find_verb(verbs: Sequence[Verb], words: str) -> Verb:
    """Return the verb that these words call; an unknown one is a programming error."""
    return next(verb for verb in verbs if verb.words == words)
