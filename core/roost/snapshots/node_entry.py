"""What a cold start of a bundle runs, as far as it is a script of Node that can be prepared."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress

from roost.models import Launch, Reason
from roost.snapshots.entry import Entry, EntryKind, without_credential
from roost.snapshots.shebang import interpreter_line

_NODE = re.compile(r"^node(js)?(-?\d+(\.\d+)*)?$")

_KEPT_FLAGS = re.compile(
    r"--(no-)?(warnings|deprecation|trace-[a-z-]+|throw-deprecation|pending-deprecation"
    r"|enable-source-maps|force-node-api-uncaught-exceptions-policy)"
    r"|--(max-old-space-size|max-semi-space-size|max-http-header-size|stack-trace-limit"
    r"|dns-result-order|unhandled-rejections|title|disable-warning|icu-data-dir|tls-[a-z0-9.-]+"
    r"|use-openssl-ca|use-bundled-ca|secure-heap(-min)?|network-family-autoselection[a-z-]*)(=.+)?",
    re.IGNORECASE,
)
"""Options of Node that change neither what is loaded nor how it is found. Only those written as
one word: the next word would have to be told from the script."""

_WRAPPERS = frozenset({"npx", "npm", "bunx", "pnpm", "yarn", "corepack"})
"""Programs of Node that look for, or install, what they start."""

_SCRIPTS = (".js", ".cjs", ".mjs", "")


def is_node(launch: Launch) -> bool:
    """Whether a start runs Node: by its name, or by the first line of a script; reads that line."""
    if not launch.argv or os.path.basename(launch.argv[0]) in _WRAPPERS:
        return False
    with suppress(OSError):
        return _first_line(launch) is not None or _is_name(launch.argv[0])
    return False


def read_node_entry(name: str, launch: Launch) -> Entry | Reason:
    """Return the script that a start runs, or why it cannot be prepared.

    Args:
        name: the bundle, for the way out.
        launch: the resolved cold start.
    """
    if not launch.argv:
        return Reason("elsewhere", "it runs somewhere else, so Roost starts no process of it")
    return without_credential(_read(name, launch), launch)


def _read(name: str, launch: Launch) -> Entry | Reason:
    program = launch.argv[0]
    if os.path.basename(program) in _WRAPPERS:
        return _wrapped(name, program)
    try:
        first = _first_line(launch)
    except OSError as error:
        return Reason("unreadable", f"{program} cannot be read ({error.strerror}); install it")
    if first is None and not _is_name(program):
        return _not_node(name, program)
    words = (*first, *launch.argv) if first is not None else launch.argv
    own = 0 if first is not None else None
    return _of_words(name, launch, words, own)


def _of_words(
    name: str, launch: Launch, words: Sequence[str], own_argv: int | None
) -> Entry | Reason:
    """Return the entry of a command line.

    Args:
        own_argv: index of the script in the start's own words, where that is known.
    """
    flags: list[str] = []
    for index, word in enumerate(words[1:], 1):
        if not word.startswith("-"):
            place = index if own_argv is None else own_argv
            return _of_script(name, launch, words[0], tuple(flags), word, place)
        if _KEPT_FLAGS.fullmatch(word) is None:
            return Reason(
                "unknown_flags",
                f"the option {word} of Node changes what is loaded, or is not known; start "
                f"{name} without it, or leave it cold",
            )
        flags.append(word)
    return Reason("no_script", f"{name} names no script; give its command one")


def _of_script(
    name: str, launch: Launch, program: str, flags: tuple[str, ...], word: str, own_argv: int
) -> Entry | Reason:
    node = shutil.which(program, path=launch.env.get("PATH"))
    if node is None:
        return Reason("no_interpreter", f"{program} cannot be executed; install Node again")
    script = os.path.normpath(os.path.join(launch.cwd, word))
    if not os.path.isfile(script) or os.path.splitext(script)[1] not in _SCRIPTS:
        return Reason(
            "no_script",
            f"{script} is no file that ends in .js, .cjs or .mjs; give the command of {name} the "
            "script itself",
        )
    return Entry(
        kind=EntryKind.NODE,
        target=script,
        interpreter=os.path.abspath(node),
        flags=flags,
        own_argv=own_argv,
    )


def _first_line(launch: Launch) -> tuple[str, ...] | None:
    """Return the words by which a script is started through Node; None when it is none."""
    program = shutil.which(launch.argv[0], path=launch.env.get("PATH")) or launch.argv[0]
    found = None if _is_name(program) else interpreter_line(program, launch.env)
    return found if found is not None and _is_name(found[0]) else None


def _is_name(program: str) -> bool:
    return _NODE.match(os.path.basename(program)) is not None


def _wrapped(name: str, program: str) -> Reason:
    return Reason(
        "wrapped",
        f"it is started through {os.path.basename(program)}, which looks for the program at each "
        f"start; `roost pin {name}` installs a copy that is started itself",
    )


def _not_node(name: str, program: str) -> Reason:
    return Reason(
        "not_node",
        f"{program} is no Node program, and only those can be prepared this way; choose another "
        f"with `roost set {name} --snapshot-how default`",
    )
