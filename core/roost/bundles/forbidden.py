"""Variables that no definition can pass to its processes, whoever wrote it.

A definition is often imported, and what is read of it before it is trusted is its command. So
nothing else in it may choose what code runs: no library, hook or agent that a loader, a shell or an
interpreter would run before the program, and in every program that this one starts. Search paths of
one language (PYTHONPATH, NODE_PATH, CLASSPATH, ...) stay allowed: servers need them, and they run
nothing by themselves. Beside these, what other programs tell the daemon is not for its children.
"""

from __future__ import annotations

import re

from roost.errors import ForbiddenVariable

_LOADER = "the loader would run code of its choice in every process of the bundle"
_SHELL = "every shell that the bundle starts would run it first"
_INTERPRETER = "the interpreter would run other code before the bundle's"

_CODE = {
    _LOADER: (
        "LD_PRELOAD",
        "LD_AUDIT",
        "LD_LIBRARY_PATH",
        "LD_ORIGIN_PATH",
        "LD_PROFILE",
        "LD_PROFILE_OUTPUT",
        "LD_DEBUG_OUTPUT",
        "GCONV_PATH",
    ),
    _SHELL: ("BASH_ENV", "SHELLOPTS"),
    _INTERPRETER: ("PYTHONSTARTUP", "PERL5OPT", "RUBYOPT", "DOTNET_STARTUP_HOOKS"),
}

_CODE_PREFIXES = {"DYLD_": _LOADER, "BASH_FUNC_": _SHELL}

_OURS_PREFIX = "ROOST_"
"""The daemon's settings, its vault key and the marks of its children."""

_MANAGERS = frozenset(
    {
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
        "LISTEN_PID",
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
    }
)
"""With these a child could speak to the service manager for the daemon."""

_JAVA_CODE = re.compile(r"-javaagent|-agentlib|-agentpath|-XX:On|-XX:Flags|@")

_NODE_CODE = re.compile(
    r"""(?:^|[\s"])-r\b|--require|--import|--experimental[-_](?:loader|config[-_]file)|--loader"""
)

_CODE_OPTIONS = {
    "NODE_OPTIONS": _NODE_CODE,
    "JAVA_TOOL_OPTIONS": _JAVA_CODE,
    "JDK_JAVA_OPTIONS": _JAVA_CODE,
    "_JAVA_OPTIONS": _JAVA_CODE,
}
"""Useful variables, such as for the size of a heap, and their options that load code."""

_WAY_OUT = "if it is meant, put it into the command (`env NAME=VALUE PROGRAM`), where it is seen"


def refuse_forbidden(name: str, value: str) -> None:
    """Refuse a variable that a definition may not pass.

    Raises:
        ForbiddenVariable: it may not; the sentence says why and what to do instead.
    """
    reason = why_forbidden(name, value)
    if reason is not None:
        raise ForbiddenVariable(name, reason)


def why_forbidden(name: str, value: str) -> str | None:
    """Say why a definition may not pass a variable and what to do instead; None when it may.

    Args:
        name: of the variable.
        value: literal, template or as it would be passed; it decides for few variables only.
    """
    if name.startswith(_OURS_PREFIX):
        return f"{_OURS_PREFIX}* belongs to Roost; leave it out"
    if name in _MANAGERS:
        return "it belongs to the service manager; leave it out"
    runs = _runs_code(name, value)
    return None if runs is None else f"{runs}; {_WAY_OUT}"


def _runs_code(name: str, value: str) -> str | None:
    for why, names in _CODE.items():
        if name in names:
            return why
    for prefix, why in _CODE_PREFIXES.items():
        if name.startswith(prefix):
            return why
    options = _CODE_OPTIONS.get(name)
    found = options.search(value) if options is not None else None
    return f"its option {found[0].strip()} loads other code than the bundle's" if found else None
