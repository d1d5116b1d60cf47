"""`main`: from the arguments of the process to a verb and its exit code."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from roost.cli.arguments import (
    Arguments,
    Option,
    Syntax,
    check_operands,
    read_arguments,
    usage_error,
)
from roost.cli.exit_codes import BAD_INPUT, OK
from roost.cli.guard import run_guarded
from roost.cli.index import VERBS
from roost.cli.session import Session
from roost.cli.terminal import Terminal, checked_text
from roost.cli.verb import GLOBAL_OPTIONS, Verb, find_verb
from roost.settings.locations import default_data_dir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roost.cli.session import OpenScreen

ROOST = Syntax("roost", options=(*GLOBAL_OPTIONS, Option("-V --version", "", "the version")))


def main(argv: Sequence[str], *, environ: Mapping[str, str], open_screen: OpenScreen) -> int:
    """Do what the arguments say and return the exit code.

    Never raises: an unexpected error becomes one sentence and a private crash file.

    Args:
        argv: arguments behind the program's name.
        environ: the caller's environment.
        open_screen: opens the screen, which this package may not know.
    """
    own = argv[: argv.index("--")] if "--" in argv else argv
    return run_guarded(
        lambda: _run(argv, environ, open_screen),
        is_json="--json" in own,
        data_dir=lambda: _data_dir(_named_data_dir(own)),
    )


def _run(argv: Sequence[str], environ: Mapping[str, str], open_screen: OpenScreen) -> int:
    for position, text in enumerate(argv, 1):
        checked_text(text, f"argument {position}")
    before = read_arguments(ROOST, argv, stop_early=True)
    if before.has("version"):
        return _print_version()
    words, tokens = _split_verb(before.rest or [])
    if words == "":
        return _without_verb(before, tokens, environ, open_screen)
    module, _ = VERBS[words]
    if words == "demo":
        return _demo(before, tokens, open_screen)
    verb = find_verb(import_module(f"roost.cli.{module}").VERBS, words)
    given = read_arguments(verb, tokens)
    if before.has("help") or given.has("help"):
        return _print_help(verb)
    check_operands(verb, given)
    return verb.run(_session(before, given, environ), given)


def _split_verb(tokens: list[str]) -> tuple[str, list[str]]:
    """Return the words of the verb and what follows; no words when there is no such verb."""
    for count in (1, 2):
        words = " ".join(tokens[:count])
        if words in VERBS:
            return words, tokens[count:]
    return "", tokens


def _without_verb(
    given: Arguments, tokens: list[str], environ: Mapping[str, str], open_screen: OpenScreen
) -> int:
    if tokens and not given.has("help"):
        from roost.cli.help import unknown_verb

        raise unknown_verb(tokens)
    if given.has("help"):
        return _print_help(None)
    session = _session(given, given, environ)
    if session.is_json or not (session.terminal.is_tty and sys.stdin.isatty()):
        from roost.cli.help import short_help

        print(short_help(), file=sys.stderr)
        return BAD_INPUT
    return open_screen(session.data_dir, session.workspace, session.is_read_only)


def _demo(before: Arguments, tokens: list[str], open_screen: OpenScreen) -> int:
    from roost.demo.cli import run

    is_read_only = before.has("read-only")
    return run(tokens, lambda data_dir, workspace: open_screen(data_dir, workspace, is_read_only))


def _session(before: Arguments, given: Arguments, environ: Mapping[str, str]) -> Session:
    def option(key: str) -> str | None:
        named = given.one(key) if given.has(key) else before.one(key)
        if named == "":  # often a variable that is not set: the default would be somebody else's
            raise usage_error(f"--{key} is empty; name one, or leave the option out")
        return named

    return Session(
        data_dir=_data_dir(option("data-dir")),
        workspace=option("workspace"),
        is_json=before.has("json") or given.has("json"),
        is_read_only=before.has("read-only") or given.has("read-only"),
        environ=environ,
        terminal=Terminal(environ),
    )


def _data_dir(named: str | None) -> str:
    return os.path.abspath(os.path.expanduser(named)) if named else default_data_dir()


def _named_data_dir(argv: Sequence[str]) -> str | None:
    for index, token in enumerate(argv):
        if token == "--data-dir" and index + 1 < len(argv):
            return argv[index + 1]
        if token.startswith("--data-dir="):
            return token.partition("=")[2]
    return None


def _print_version() -> int:
    from roost import __version__

    print(f"roost {__version__}")
    return OK


def _print_help(verb: Verb | None) -> int:
    from roost.cli.help import full_help, verb_help

    print(full_help(ROOST.options) if verb is None else verb_help(verb))
    return OK
