"""A Python command line, taken apart as the interpreter does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roost.models import Reason

_WITH_VALUE = "WX"
"""Interpreter flags that take a value, in the same word or the next."""

_KEPT = "bBdEIOPqRsSuv"
"""Flags without a value that may stand before the program; ``-x`` and ``-i`` change what runs."""


@dataclass(frozen=True, slots=True)
class PythonLine:
    """The parts of it."""

    flags: tuple[str, ...]
    module: str | None
    script: str | None
    own_argv: int
    """Index of the word that names the module or script."""


def flag_letters(flags: tuple[str, ...]) -> set[str]:
    """Return the letters of all flags without a value."""
    letters: set[str] = set()
    words = iter(flags)
    for word in words:
        for position, letter in enumerate(word[1:], 1):
            if letter in _WITH_VALUE:
                if position == len(word) - 1:
                    next(words, None)
                break
            letters.add(letter)
    return letters


def parse_python_line(words: Sequence[str]) -> PythonLine | Reason:
    """Take a Python command line apart, up to the program's own arguments."""
    index = 1
    while index < len(words):
        word = words[index]
        if word == "-" or not word.startswith("-"):
            break
        if word.startswith("--check-hash-based-pycs"):
            index += 1 if "=" in word else 2
            continue
        step = _flag_length(word)
        if isinstance(step, Reason):
            return step
        if step < 0:  # -m ends the flags
            return _module_line(words, index)
        index += step
    flags = tuple(words[1:index])
    if index >= len(words) or words[index] == "-":
        return Reason("no_script", "its program comes from standard input; give it as a script")
    return PythonLine(flags, None, words[index], index)


def _flag_length(word: str) -> int | Reason:
    """Return how many words a flag takes; -1 for one that ends in ``-m``."""
    for position, letter in enumerate(word[1:], 1):
        is_last = position == len(word) - 1
        if letter == "m":
            return -1
        if letter in _WITH_VALUE:
            return 2 if is_last else 1
        if letter == "c":
            return Reason("no_script", "its program is written in the command; put it in a script")
        if letter not in _KEPT:
            return Reason(
                "unknown_flags", f"{word} changes what the interpreter runs; start it without it"
            )
    return 1


def _module_line(words: Sequence[str], index: int) -> PythonLine | Reason:
    before, _, glued = words[index].partition("m")
    flags = (*words[1:index], *((before,) if len(before) > 1 else ()))
    if glued:
        return PythonLine(flags, glued, None, index)
    if index + 1 >= len(words):
        return Reason("no_script", "its command ends after -m; name the module")
    return PythonLine(flags, words[index + 1], None, index + 1)
