"""Reading a verb's arguments: a small parser whose errors are sentences.

`argparse` would cost as much start-up time as a whole request, prints its errors by itself and
cannot put them into JSON.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Option:
    """An option of a verb.

    Args:
        names: its spellings, such as ``-n --lines``; the last one names the value.
        values: what follows it, such as ``N`` or ``FILE ENTRY``; empty for a flag.
        help: one line.
    """

    __slots__ = ("help", "names", "values")

    def __init__(self, names: str, values: str, help: str) -> None:
        self.names = tuple(names.split())
        self.values = tuple(values.split())
        self.help = help

    @property
    def key(self) -> str:
        """Name of its value."""
        return self.names[-1].lstrip("-")


class Syntax:
    """What a command accepts.

    Args:
        name: how the command is called, for error messages: ``roost logs``.
        operands: names of its operands; optional ones in brackets, as in ``BUNDLE [TOOL]``,
            and one that may be repeated with dots: ``[NAME...]``.
        options: its options.
        rest: what may follow ``--``, or empty when nothing may.
    """

    __slots__ = ("name", "operands", "options", "rest")

    def __init__(
        self, name: str, operands: str = "", options: Sequence[Option] = (), rest: str = ""
    ) -> None:
        self.name = name
        self.operands = tuple(operands.split())
        self.options = tuple(options)
        self.rest = rest

    def find(self, name: str) -> Option | None:
        """Return the option with this spelling."""
        return next((option for option in self.options if name in option.names), None)


class Arguments:
    """Arguments as they were given: values by option, operands in order, and what followed ``--``.

    `rest` is None when there was no ``--``.
    """

    __slots__ = ("operands", "rest", "values")

    def __init__(self) -> None:
        self.values: dict[str, list[tuple[str, ...]]] = {}
        self.operands: list[str] = []
        self.rest: list[str] | None = None

    def has(self, key: str) -> bool:
        """Say whether the option was given."""
        return key in self.values

    def one(self, key: str) -> str | None:
        """Return the option's value, the last one when it was repeated."""
        given = self.values.get(key)
        return given[-1][0] if given else None

    def every(self, key: str) -> list[str]:
        """Return all values of a repeatable option, in order."""
        return [value[0] for value in self.values.get(key, ())]

    def whole(self, key: str, default: int, *, least: int = 1) -> int:
        """Return the option's value as a whole number.

        Raises:
            BadInput: it is not a number, or less than `least`.
        """
        text = self.one(key)
        if text is None:
            return default
        if text.isascii() and text.isdigit() and int(text) >= least:
            return int(text)
        raise usage_error(f"--{key} takes a whole number from {least}, not {text!r}")


def usage_error(sentence: str) -> Exception:
    """Return the error for a command that cannot be understood."""
    from roost.errors import BadInput

    return BadInput(sentence)


def read_arguments(syntax: Syntax, tokens: Sequence[str], *, stop_early: bool = False) -> Arguments:
    """Sort tokens into options, operands and the rest.

    Args:
        syntax: what the command accepts.
        tokens: the arguments behind the command's name.
        stop_early: leave everything from the first operand on in `rest`, unread.

    Raises:
        BadInput: an option is unknown or lacks its value. Values are never repeated in the
            sentence: they may be secrets.
    """
    given = Arguments()
    waiting = list(tokens)
    while waiting:
        token = waiting.pop(0)
        if token == "--" and not stop_early:
            given.rest = waiting
            break
        if token.startswith("-") and token != "-":
            _read_option(syntax, token, waiting, given)
        elif stop_early:
            given.rest = [token, *waiting]
            break
        else:
            given.operands.append(token)
    return given


def check_operands(syntax: Syntax, given: Arguments) -> None:
    """Compare the operands with the syntax.

    Raises:
        BadInput: one is missing or there are too many.
    """
    needed = [name for name in syntax.operands if not name.startswith("[")]
    if len(given.operands) < len(needed):
        missing = " ".join(needed[len(given.operands) :])
        raise usage_error(f"`{syntax.name}` needs {missing}; see `{syntax.name} --help`")
    is_open = bool(syntax.operands) and syntax.operands[-1].endswith("...]")
    if len(given.operands) > len(syntax.operands) and not is_open:
        takes = " ".join(syntax.operands) or "no operands"
        raise usage_error(f"`{syntax.name}` takes {takes}; see `{syntax.name} --help`")
    if given.rest is not None and not syntax.rest:
        raise usage_error(f"`{syntax.name}` takes nothing behind `--`")


def _read_option(syntax: Syntax, token: str, waiting: list[str], given: Arguments) -> None:
    name, equals, attached = _split(token)
    option = syntax.find(name)
    if option is None:
        raise usage_error(
            f"`{syntax.name}` has no option {name}; `{syntax.name} --help` lists them"
        )
    if not option.values:
        if equals:
            raise usage_error(f"{name} takes no value")
        given.values.setdefault(option.key, []).append(())
        return
    values = [attached] if equals else []
    while len(values) < len(option.values):
        if not waiting:
            raise usage_error(f"{name} needs {' '.join(option.values)} behind it")
        values.append(waiting.pop(0))
    given.values.setdefault(option.key, []).append(tuple(values))


def _split(token: str) -> tuple[str, bool, str]:
    """Split ``--name=value`` and ``-nvalue``."""
    if token.startswith("--"):
        name, equals, value = token.partition("=")
        return name, bool(equals), value
    return token[:2], len(token) > 2, token[2:]
