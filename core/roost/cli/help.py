"""Help texts, made from the table of verbs and from each verb's syntax."""

from __future__ import annotations

from collections.abc import Sequence

from roost.cli.arguments import Option
from roost.cli.exit_codes import EXIT_CODES
from roost.cli.index import VERBS
from roost.cli.verb import GLOBAL_OPTIONS, Verb
from roost.errors import BadInput

_USAGE = """\
  roost [OPTIONS]             open the screen
  roost [OPTIONS] VERB ...    do one thing; `roost VERB --help` explains it"""

_NOTES = """\
Bundles are named NAME, or WORKSPACE/NAME where several workspaces have one.
Verbs that only read never start the daemon; the others start it in the background.
With --json a result is the API's own JSON on one line, followed streams one line per
event, and an error {"error": {"code", "message", "details"}}."""


def short_help() -> str:
    """Return what is said when there is nothing to do and no screen to open."""
    return "roost: the screen needs a terminal; give a verb instead.\n\n" + "\n".join(_verb_lines())


def full_help(options: Sequence[Option]) -> str:
    """Return the help of ``roost --help``."""
    codes = [f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items()]
    parts = [
        "roost: the terminal control plane for apps",
        _USAGE,
        "\n".join(["Verbs", *_verb_lines()]),
        "\n".join(["Options", *_option_lines(options)]),
        _NOTES,
        "\n".join(["Exit codes", *codes]),
    ]
    return "\n\n".join(parts)


def verb_help(verb: Verb) -> str:
    """Return the help of one verb."""
    usage = [verb.name, *(["[OPTIONS]"] if verb.own_options else []), *verb.operands]
    parts = [f"{' '.join(usage)}{' ' + verb.rest if verb.rest else ''}\n  {VERBS[verb.words][1]}"]
    if verb.own_options:
        parts.append("\n".join(_option_lines(verb.own_options)))
    if verb.details:
        parts.append(verb.details)
    parts.append("\n".join(["Global options", *_option_lines(GLOBAL_OPTIONS)]))
    return "\n\n".join(parts)


def unknown_verb(tokens: Sequence[str]) -> BadInput:
    """Return the error for words that call no verb, with those that were probably meant."""
    from difflib import get_close_matches

    second = [words.split()[1] for words in VERBS if words.startswith(f"{tokens[0]} ")]
    if second:
        return BadInput(f"`roost {tokens[0]}` needs one of {', '.join(second)} behind it")
    near = get_close_matches(tokens[0], list(VERBS), n=2, cutoff=0.7)
    meant = " or ".join(f"`roost {words}`" for words in near)
    advice = f"did you mean {meant}?" if near else "`roost --help` lists them"
    return BadInput(f"there is no verb {tokens[0]!r}; {advice}")


def _verb_lines() -> list[str]:
    return [f"  {words:<17} {summary}" for words, (_, summary) in VERBS.items()]


def _option_lines(options: Sequence[Option]) -> list[str]:
    left = [" ".join([", ".join(option.names), *option.values]) for option in options]
    indent = max(len(text) for text in left)
    return [
        f"  {text:<{indent}}  {option.help}" for text, option in zip(left, options, strict=True)
    ]
