"""`Terminal`: the streams of the command line, and what is known of the screen behind them."""

from __future__ import annotations

import os
import sys

from roost.cli.table import Cell, clean, cut, styled, table_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class Terminal:
    """Where results, notes and questions go.

    Results go to stdout, everything else to stderr. Colour needs a terminal and no ``NO_COLOR``.
    Lines are cut to the terminal's width, and never when they are piped.

    Args:
        environ: the caller's environment.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.is_tty = sys.stdout.isatty()
        self.has_colour = (
            self.is_tty and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        )
        self.width = _columns() if self.is_tty else None

    def line(self, text: str = "", style: str = "") -> None:
        """Write one line of a result."""
        text = clean(text)
        if self.width is not None:
            text = cut(text, self.width)
        print(styled(text, style) if self.has_colour else text)

    def heading(self, text: str) -> None:
        """Write a blank line and the name of what follows."""
        self.line()
        self.line(text, "head")

    def prose(self, text: str) -> None:
        """Write a sentence, which the terminal may wrap."""
        print(clean(text))

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[Cell]], right: Sequence[str] = ()
    ) -> None:
        """Write a table."""
        lines = table_lines(header, rows, right=right, width=self.width, has_colour=self.has_colour)
        for text in lines:
            print(text)

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Write names and values below one another; those without a value are left out."""
        shown = [(name, value) for name, value in facts if value]
        indent = max((len(name) for name, _ in shown), default=0)
        for name, value in shown:
            self.line(f"{name:<{indent}}  {clean(value)}")

    def raw(self, text: str) -> None:
        """Write app output as it is, made harmless when a terminal would interpret it."""
        if self.is_tty:
            text = "\n".join(clean(line.replace("\t", "    ")) for line in text.split("\n"))
        print(text)

    def json_text(self, text: bytes) -> None:
        """Write JSON as the daemon sent it, on one line."""
        print(text.decode().strip(), flush=True)

    def json(self, value: Any) -> None:
        """Write a value as JSON on one line."""
        import json

        print(json.dumps(value, ensure_ascii=False, separators=(",", ":")), flush=True)

    def note(self, text: str) -> None:
        """Write a line for people to stderr."""
        print(clean(text), file=sys.stderr, flush=True)

    def flush(self) -> None:
        """Hand over what was written so far."""
        sys.stdout.flush()

    @property
    def can_ask(self) -> bool:
        """Whether a person can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, question: str) -> str:
        """Ask a person for a line."""
        print(clean(question), end=" ", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip()

    def secret(self, name: str, *, takes_all: bool = False) -> str:
        """Read a value without showing it.

        Args:
            name: what is asked for.
            takes_all: whether all of piped input is the value, or its next line.

        Raises:
            BadInput: what was given is not text.
        """
        return checked_text(self._typed_or_piped(name, takes_all), f"the value of {name}")

    def _typed_or_piped(self, name: str, takes_all: bool) -> str:
        if not sys.stdin.isatty():
            try:
                text = sys.stdin.read() if takes_all else sys.stdin.readline()
            except UnicodeDecodeError:
                return _NOT_TEXT
            return text.rstrip("\r\n")
        from getpass import getpass

        return getpass(f"{clean(name)}: ")


_NOT_TEXT = "\udcff"
"""What a byte that is no UTF-8 reads as."""


def checked_text(text: str, what: str) -> str:
    """Return a text that came from outside, which may be bytes that are no UTF-8.

    Raises:
        BadInput: it is not text; the sentence does not hold it.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        from roost.cli.arguments import usage_error

        raise usage_error(f"{what} is not UTF-8 text; nothing was done") from None
    return text


def _columns() -> int | None:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None
