"""``roost add``: install a bundle from an archive, a client's configuration, PyPI or a command."""

from __future__ import annotations

import os
from collections.abc import Callable

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.exit_codes import OK
from roost.cli.references import find_workspace, workspace_path
from roost.cli.session import Session
from roost.cli.terminal import checked_text
from roost.cli.verb import Verb
from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind
from roost.models.codec import to_json

_KINDS = {
    "mcp": BundleKind.MCP_STDIO,
    "web": BundleKind.WEB,
    "command": BundleKind.COMMAND,
}


def _add(session: Session, given: Arguments) -> int:
    session.check_may_act()
    request = _request(session, given)
    wire = session.actor()
    workspace = find_workspace(session, wire)
    bundle = wire.send("POST", f"{workspace_path(workspace)}/bundles", to_json(request))
    if session.is_json:
        session.terminal.json(bundle)
        return OK
    name = f"{bundle['workspace']}/{bundle['name']}"
    follow = "" if given.has("no-start") else f"; `roost logs -f {name}` follows its start"
    missing = bundle["missing_fields"]
    if missing:
        follow = f"; it needs {', '.join(missing)}: `roost credentials {name}` shows the form"
    session.terminal.prose(f"{name} is installed{follow}")
    return OK


def _request(session: Session, given: Arguments) -> InstallRequest:
    source, options = _source(given)
    return InstallRequest(
        source=source,
        name=given.one("name"),
        path=options.get("path"),
        entry=options.get("entry"),
        requirement=options.get("requirement"),
        script=given.one("script"),
        command=_command(given.rest or [], source),
        env=_environment(session, given),
        kind=_kind(given, source),
        settings=BundleSettings(protected=given.has("protected")),
        start=not given.has("no-start"),
    )


def _source(given: Arguments) -> tuple[SourceKind, dict[str, str]]:
    """Return where the definition comes from; exactly one place must be named."""
    places = [key for key in ("mcpb", "mcp-servers", "pypi") if given.has(key)]
    if not places and given.rest:
        _refuse_options(given, ("script",), "a command")
        return SourceKind.COMMAND, {}
    if len(places) != 1:
        raise usage_error(
            "say what to add: one of --mcpb PATH, --mcp-servers FILE ENTRY, --pypi REQUIREMENT, or "
            "-- and a command"
        )
    return _READERS[places[0]](given)


def _from_archive(given: Arguments) -> tuple[SourceKind, dict[str, str]]:
    _refuse_options(given, ("script", "env", "env-stdin", "kind"), "an archive")
    _refuse_rest(given, "an archive")
    return SourceKind.MCPB, {"path": _absolute(str(given.one("mcpb")))}


def _from_client(given: Arguments) -> tuple[SourceKind, dict[str, str]]:
    _refuse_options(given, ("script", "env", "env-stdin", "kind"), "an entry of mcpServers")
    _refuse_rest(given, "an entry of mcpServers")
    path, entry = given.values["mcp-servers"][-1]
    return SourceKind.MCP_SERVERS, {"path": _absolute(path), "entry": entry}


def _from_pypi(given: Arguments) -> tuple[SourceKind, dict[str, str]]:
    return SourceKind.PYPI, {"requirement": str(given.one("pypi"))}


_READERS: dict[str, Callable[[Arguments], tuple[SourceKind, dict[str, str]]]] = {
    "mcpb": _from_archive,
    "mcp-servers": _from_client,
    "pypi": _from_pypi,
}


def _refuse_options(given: Arguments, keys: tuple[str, ...], what: str) -> None:
    for key in keys:
        if given.has(key):
            raise usage_error(f"--{key} does not go with {what}")


def _refuse_rest(given: Arguments, what: str) -> None:
    if given.rest:
        raise usage_error(f"{what} brings its own command; leave out what stands behind --")


def _command(words: list[str], source: SourceKind) -> tuple[str, ...]:
    """Return the words of a command; a relative path to its program means the caller's own."""
    if source is SourceKind.COMMAND and "/" in words[0] and not words[0].startswith("$"):
        return _absolute(words[0]), *words[1:]
    return tuple(words)


def _absolute(path: str) -> str:
    if not path:
        raise usage_error("the path is empty; give the one of the file or folder to add")
    return os.path.abspath(os.path.expanduser(path))


def _kind(given: Arguments, source: SourceKind) -> BundleKind:
    named = given.one("kind")
    if named is None:
        return BundleKind.COMMAND if source is SourceKind.COMMAND else BundleKind.MCP_STDIO
    if named not in _KINDS:
        raise usage_error(f"--kind is one of {', '.join(_KINDS)}")
    return _KINDS[named]


def _environment(session: Session, given: Arguments) -> dict[str, str]:
    """Collect values without one ever standing in an argument, where everyone can read it."""
    values: dict[str, str] = {}
    for name in given.every("env"):
        _refuse_value("env", name)
        if name not in session.environ:
            raise usage_error(
                f"--env {name} takes the value from the environment, where {name} is not set; set "
                f"it, or use --env-stdin {name}"
            )
        values[name] = checked_text(session.environ[name], f"the value of {name}")
    piped = given.every("env-stdin")
    for name in piped:
        _refuse_value("env-stdin", name)
        values[name] = session.terminal.secret(name, takes_all=len(piped) == 1)
    return values


def _refuse_value(option: str, name: str) -> None:
    if "=" in name:
        raise usage_error(
            f"--{option} takes a name only: arguments are visible to every user of this machine"
        )


VERBS = (
    Verb(
        "add",
        _add,
        "",
        (
            Option("--mcpb", "PATH", "an MCPB archive, or a folder with its manifest"),
            Option("--mcp-servers", "FILE ENTRY", "an entry of a client's mcpServers"),
            Option("--pypi", "REQUIREMENT", "a pinned PyPI requirement: name==version"),
            Option("--script", "NAME", "console script of the requirement"),
            Option("--name", "NAME", "the bundle's name; derived if not given"),
            Option("--kind", "KIND", f"{', '.join(_KINDS)}; a command is `command` if not given"),
            Option("--env", "NAME", "pass this variable, with its value in your environment"),
            Option("--env-stdin", "NAME", "pass this variable, with a value typed or piped in"),
            Option("--protected", "", "refuse respawn, stop and removal without a reason"),
            Option("--no-start", "", "install only"),
        ),
        rest="[-- COMMAND ...]",
        details="Values of variables are kept as credentials. With --pypi, what follows -- are "
        "the server's\narguments. --json prints the BundleView.",
    ),
)
