"""Command lines behind `sh -c` and `env`, where it is certain what they run."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, field

_SHELLS = frozenset({"sh", "bash", "dash", "zsh"})
_WORD = r"""(?:[A-Za-z0-9_@%+=:,./^-]|'[^']*'|"[^"$`\\]*")+"""
_PLAIN = re.compile(rf"[ \t]*{_WORD}(?:[ \t]+{_WORD})*[ \t]*")
"""One simple command: nothing that a shell would expand, join or redirect."""
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PlainLine:
    """A program with its arguments, and the variables set in front of it."""

    words: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)


def behind_shell_and_env(words: tuple[str, ...]) -> PlainLine | None:
    """Return what a command line runs in the end, or None when that is not certain."""
    env: dict[str, str] = {}
    while words:
        program = os.path.basename(words[0])
        if program in _SHELLS:
            inside = _script(words[1:])
            if inside is None:
                return None
            words, given = inside
        elif program == "env":
            words, given = _assignments(words[1:])
            if words and words[0].startswith("-"):
                return None
        else:
            return PlainLine(words, env)
        env |= given
    return None


def _script(args: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str]] | None:
    match args:
        case ("-c" | "-lc" | "-ec", script) if _PLAIN.fullmatch(script):
            words, env = _assignments(tuple(shlex.split(script)))
            return (words[1:] if words[:1] == ("exec",) else words), env
        case _:
            return None


def _assignments(words: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str]]:
    env: dict[str, str] = {}
    for number, word in enumerate(words):
        match = _ASSIGNMENT.fullmatch(word)
        if match is None:
            return words[number:], env
        env[match[1]] = match[2]
    return (), env
