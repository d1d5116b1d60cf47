"""`Entry`: what a cold start of a bundle runs, as far as a Python template can begin it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from roost.errors import RoostError
from roost.lifecycle.entry import resolve_entry
from roost.models import Launch, Reason
from roost.snapshots.python_line import PythonLine, flag_letters, parse_python_line
from roost.snapshots.shebang import interpreter_line

APP_MODULE = "roost.app"
"""What runs Roost's own apps: ``python -m roost.app``."""

_PYTHON = re.compile(r"^python(\d+(\.\d+)?)?$")

_WRAPPERS = ("uv", "uvx", "pipx", "npx", "bunx", "pnpm", "yarn", "hatch", "poetry", "pdm")
"""Programs that look for, or install, what they start."""

_SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "fish", "env", "nice", "timeout", "xargs")
"""Programs that start another one."""


class EntryKind(StrEnum):
    """How the program is named."""

    SCRIPT = "script"
    MODULE = "module"
    COMMAND = "command"
    """A script that an installer made for a command, with an interpreter in its first line."""
    APP = "app"
    """An app of Roost's own: ``-m roost.app``."""
    NODE = "node"
    """A script of Node."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is started, apart from the program's own arguments."""

    kind: EntryKind
    target: str
    """Absolute path of the script, name of the module, or an app's entry as it was given."""
    interpreter: str
    """As it is started: in a virtual environment its path matters, not what it links to."""
    flags: tuple[str, ...] = ()
    """The interpreter's own: ``("-X", "utf8")``."""
    path0: str | None = None
    """What the entry puts first in `sys.path`; None with ``-I`` and ``-P``."""
    own_argv: int = 0
    """Index in the argument vector of the word that stands for `sys.argv[0]`."""
    directory: str | None = None
    """Of an app: where its own files are looked for."""

    @property
    def wire_kind(self) -> str:
        """How the launcher runs it: ``script``, ``module`` or ``app``."""
        return "script" if self.kind is EntryKind.COMMAND else str(self.kind)

    def __str__(self) -> str:
        if self.kind is EntryKind.NODE:
            return f"script {self.target}"
        if self.kind is EntryKind.APP:
            return f"app {self.target} in {self.directory}".replace("  ", " ")
        return f"{self.kind} {self.target}"


def read_entry(name: str, launch: Launch) -> Entry | Reason:
    """Return what a start runs, or why no Python template can begin it.

    Args:
        name: the bundle, for the way out.
        launch: the resolved cold start.
    """
    if not launch.argv:
        return Reason("elsewhere", "it runs somewhere else, so Roost starts no process of it")
    return without_credential(_read(name, launch), launch)


def without_credential(found: Entry | Reason, launch: Launch) -> Entry | Reason:
    """Return what was read of a command, or a refusal if it repeats a word that may not be shown.

    Args:
        found: names the interpreter, its flags and the program, or words of the command.
        launch: the command.
    """
    pairs = zip(launch.argv, launch.told_argv, strict=True)
    hidden = {at: word for at, (word, told) in enumerate(pairs) if word != told}
    if isinstance(found, Reason):
        is_told = any(_stands_in(found.sentence, word) for word in hidden.values())
    else:
        is_told = any(at <= found.own_argv or found.kind is EntryKind.APP for at in hidden)
    if not is_told:
        return found
    return Reason(
        "credential_in_command",
        "a credential stands in its command before the program's own arguments, and what is "
        "kept of a snapshot names these words; give it to the program in a variable",
    )


def _stands_in(sentence: str, word: str) -> bool:
    """Whether a sentence tells a word, or the path that it is."""
    forms = (word, os.path.normpath(f"/{word}").lstrip("/"))
    return any(form and form in sentence for form in forms)


def _read(name: str, launch: Launch) -> Entry | Reason:
    program = launch.argv[0]
    try:
        first = interpreter_line(program, launch.env)
    except OSError as error:
        return Reason("unreadable", f"{program} cannot be read ({error.strerror}); install it")
    if first is not None and _is_python(first[0]):
        return _of_command(name, launch, first)
    if first is None and _is_python(program):
        return _of_python(name, launch)
    return _not_python(name, program)


def _is_python(program: str) -> bool:
    return _PYTHON.match(os.path.basename(program)) is not None


def _not_python(name: str, program: str) -> Reason:
    word = os.path.basename(program)
    if word in _WRAPPERS:
        return Reason(
            "wrapped",
            f"it is started through {word}, which looks for the program at each start; "
            f"`roost pin {name}` installs a copy that is started itself",
        )
    if word in _SHELLS:
        return Reason(
            "wrapped",
            f"it is started through {word}, behind which the program cannot be seen; add it again "
            "with the Python command itself",
        )
    return Reason(
        "not_python",
        f"{program} is no program of Python or Node, and only those can be started from a "
        "snapshot; it starts cold",
    )


def _of_command(name: str, launch: Launch, first: tuple[str, ...]) -> Entry | Reason:
    script = launch.argv[0]
    line = parse_python_line((*first, script))
    if isinstance(line, Reason):
        return line
    if line.module is not None:
        return Reason("unknown_flags", f"the first line of {script} names a module to run instead")
    if not os.access(first[0], os.X_OK):
        return Reason(
            "no_interpreter",
            f"the first line of {script} names {first[0]}, which cannot be executed; install "
            f"{name} again",
        )
    path0 = _script_path0(script, line.flags, launch.env)
    return Entry(EntryKind.COMMAND, os.path.abspath(script), first[0], line.flags, path0, 0)


def _of_python(name: str, launch: Launch) -> Entry | Reason:
    line = parse_python_line(launch.argv)
    if isinstance(line, Reason):
        return line
    program = launch.argv[0]
    if line.module is not None:
        return _of_module(launch, line, line.module)
    script = os.path.join(launch.cwd, line.script or "")
    if os.path.isdir(script) or script.endswith((".zip", ".pyz")):
        return Reason(
            "no_script",
            f"{script} is a directory or an archive; start what is in it as a script or with -m",
        )
    if not os.path.isfile(script):
        return Reason("no_script", f"there is no script {script}; correct the command of {name}")
    path0 = _script_path0(script, line.flags, launch.env)
    target = os.path.normpath(script)
    return Entry(EntryKind.SCRIPT, target, program, line.flags, path0, line.own_argv)


def _of_module(launch: Launch, line: PythonLine, module: str) -> Entry | Reason:
    program = launch.argv[0]
    safe = _is_safe_path(line.flags, launch.env)
    path0 = None if safe else launch.cwd
    if module != APP_MODULE:
        return Entry(EntryKind.MODULE, module, program, line.flags, path0, line.own_argv)
    return _of_app(launch, line)


def _of_app(launch: Launch, line: PythonLine) -> Entry | Reason:
    arguments = _app_arguments(launch.argv[line.own_argv + 1 :])
    if arguments is None:
        return Reason("not_started", "its command describes the app instead of starting it")
    target, directory = arguments
    place = os.path.normpath(os.path.join(launch.cwd, directory))
    return Entry(
        kind=EntryKind.APP,
        target=target,
        interpreter=launch.argv[0],
        flags=line.flags,
        path0=_app_path0(target, place),
        own_argv=line.own_argv,
        directory=place,
    )


def _app_arguments(words: Sequence[str]) -> tuple[str, str] | None:
    """Return entry and directory as `roost.app` reads them; None when it starts nothing."""
    entry, directory, left = "", ".", list(words)
    while left:
        word = left.pop(0)
        if word == "--describe":
            return None
        if word == "--directory" and left:
            directory = left.pop(0)
        elif word.startswith("--directory="):
            directory = word.partition("=")[2]
        elif not word.startswith("-") and not entry:
            entry = word
    return entry, directory


def _app_path0(target: str, place: str) -> str:
    """Return what the app's launcher puts first in `sys.path`."""
    try:
        found = resolve_entry(target, place)
    except RoostError:
        return place  # the start itself will say what is wrong
    return str(found.path.parent if found.path is not None else found.directory)


def _script_path0(script: str, flags: tuple[str, ...], env: Mapping[str, str]) -> str | None:
    if _is_safe_path(flags, env):
        return None
    return os.path.dirname(os.path.realpath(script))


def _is_safe_path(flags: tuple[str, ...], env: Mapping[str, str]) -> bool:
    letters = flag_letters(flags)
    if letters & {"I", "P"}:
        return True
    return bool(env.get("PYTHONSAFEPATH")) and "E" not in letters
