"""What the screen says while no bundle is installed: three ways to begin."""

from __future__ import annotations

from collections.abc import Mapping

from roost_tui.spans import Spans, Tone, width_of
from roost_tui.text_blocks import blank

ACTIONS = ("bundle.import", "bundle.add", "screen.help", "screen.detach")
"""Actions that the footer names, in its order."""

OFFERED = frozenset(
    {
        *ACTIONS,
        "screen.palette",
        "screen.messages",
        "screen.workspace",
        "screen.all_workspaces",
        "link.retry",
        "daemon.doctor",
        "daemon.stop",
        "vault.show",
        "vault.rotate",
    }
)
"""Actions that there is something to do with."""

_INDENT = 4


def lines(
    keys: Mapping[str, str], found: int | None, *, is_looking: bool, width: int, height: int
) -> list[Spans]:
    """Return the screen's lines, in its middle.

    Args:
        keys: the key of each action that may be done and is bound.
        found: servers of MCP clients on this machine; None while that is not known.
        is_looking: whether they are being counted.
        width: cells of a line.
        height: lines there are.
    """
    said = _lines(keys, found, is_looking=is_looking)
    left = " " * max((width - max(width_of(line) for line in said)) // 2, 1)
    above = max((height - len(said)) // 3, 0)
    return [blank()] * above + [((left, Tone.TEXT), *line) for line in said]


def _lines(keys: Mapping[str, str], found: int | None, *, is_looking: bool) -> list[Spans]:
    said: list[Spans] = [(("No bundle is installed yet.", Tone.STRONG),), blank()]
    if key := keys.get("bundle.import"):
        words = _import_words(found, is_looking=is_looking)
        said += _offer(key, "import", "the servers that your MCP clients have", words)
    if key := keys.get("bundle.add"):
        hint = "shows what would run before anything does"
        said += _offer(
            key, "add", "a file, folder, package, address or command", (hint, Tone.MUTED)
        )
    demo = ("leave, then run this; nothing to configure", Tone.MUTED)
    said += _offer(keys.get("screen.detach", ""), "roost demo", "look round among real apps", demo)
    if key := keys.get("screen.help"):
        said += [((f"{key:>{_INDENT - 2}}  ", Tone.TITLE), ("every key", Tone.MUTED))]
    return said


def _offer(key: str, verb: str, words: str, more: tuple[str, Tone]) -> list[Spans]:
    return [
        (
            (f"{key:>{_INDENT - 2}}  ", Tone.TITLE),
            (f"{verb:<12}", Tone.ACCENT),
            (words, Tone.TEXT),
        ),
        ((" " * (_INDENT + 12), Tone.TEXT), more),
        blank(),
    ]


def _import_words(found: int | None, *, is_looking: bool) -> tuple[str, Tone]:
    if is_looking:
        return "looking for them on this machine", Tone.MUTED
    if found is None:
        return "how many there are could not be found out", Tone.MUTED
    if not found:
        return "none was found on this machine", Tone.MUTED
    return f"{found} found on this machine", Tone.OK
