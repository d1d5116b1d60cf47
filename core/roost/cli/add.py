"""``roost add``: install a bundle from an archive, an app, a client's entry, PyPI or a command."""

from __future__ import annotations

import os
from collections.abc import Callable

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.exit_codes import OK
from roost.cli.references import find_workspace, workspace_path
from roost.cli.session import Session
from roost.cli.setting_options import OPTIONS, read_limits, read_settings
from roost.cli.terminal import checked_text
from roost.cli.verb import Verb
from roost.models import (
    BundleKind,
    BundleSettings,
    InstallRequest,
    ResourceLimits,
    SourceKind,
)
from roost.models.codec import to_json
from roost.models.port import parse_port

_APP_ONLY = ("entry", "python")
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
        python=options.get("python"),
        port=_port(given, source),
        ready_path=_ready_path(given, source),
        settings=BundleSettings(
            protected=given.has("protected"),
            **read_settings(given),
            limits=ResourceLimits(**read_limits(given)),
        ),
        after=tuple(dict.fromkeys(given.every("after"))),
        start=not given.has("no-start"),
    )


def _source(given: Arguments) -> tuple[SourceKind, dict[str, str]]:
    """Return where the definition comes from; exactly one place must be named."""
    places = [key for key in _READERS if given.has(key)]
    if not places and given.rest:
        _refuse_options(given, ("script", *_APP_ONLY), "a command")
        return SourceKind.COMMAND, {}
    if len(places) != 1:
        raise usage_error(
            "say what to add: one of --app DIR, --mcpb PATH, --mcp-servers FILE ENTRY, "
            "--pypi REQUIREMENT, or -- and a command"
        )
    return _READERS[places[0]](given)


def _from_directory(given: Arguments) -> tuple[SourceKind, dict[str, str]]:
    _refuse_options(given, ("script", "kind"), "an app, which says itself what it is")
    _refuse_rest(given, "an app")
    options = {"path": _absolute(str(given.one("app")))}
    if (entry := given.one("entry")) is not None:
        options["entry"] = entry
    if (python := given.one("python")) is not None:
        options["python"] = _absolute(python) if "/" in python else python
    return SourceKind.APP, options


def _from_archive(given: Arguments) -> tuple[SourceKind, dict[str, str]]:
    _refuse_options(given, ("script", "env", "env-stdin", "kind", *_APP_ONLY), "an archive")
    _refuse_rest(given, "an archive")
    return SourceKind.MCPB, {"path": _absolute(str(given.one("mcpb")))}


def _from_client(given: Arguments) -> tuple[SourceKind, dict[str, str]]:
    refused = ("script", "env", "env-stdin", "kind", *_APP_ONLY)
    _refuse_options(given, refused, "an entry of mcpServers")
    _refuse_rest(given, "an entry of mcpServers")
    path, entry = given.values["mcp-servers"][-1]
    return SourceKind.MCP_SERVERS, {"path": _absolute(path), "entry": entry}


def _from_pypi(given: Arguments) -> tuple[SourceKind, dict[str, str]]:
    _refuse_options(given, _APP_ONLY, "a requirement")
    return SourceKind.PYPI, {"requirement": str(given.one("pypi"))}


_READERS: dict[str, Callable[[Arguments], tuple[SourceKind, dict[str, str]]]] = {
    "app": _from_directory,
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


def _port(given: Arguments, source: SourceKind) -> int | None:
    text = given.one("port")
    if text is None:
        return None
    _refuse_unless_web(given, source, "port")
    return parse_port(text, 0)


def _ready_path(given: Arguments, source: SourceKind) -> str | None:
    path = given.one("ready-path")
    if path is not None:
        _refuse_unless_web(given, source, "ready-path")
    return path


def _refuse_unless_web(given: Arguments, source: SourceKind, key: str) -> None:
    """Refuse what only web bundles have; what kind an app is will only be known once it is read."""
    if source is not SourceKind.APP and _kind(given, source) is not BundleKind.WEB:
        raise usage_error(f"--{key} goes with --kind web")


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
            Option("--app", "DIR", "the directory of an app written with the SDK"),
            Option(
                "--entry", "ENTRY", "the app's entry, such as app.py:app; read there if not given"
            ),
            Option("--python", "PATH", "the app's interpreter; Roost's own if not given"),
            Option("--mcpb", "PATH", "an MCPB archive, or a folder with its manifest"),
            Option("--mcp-servers", "FILE ENTRY", "an entry of a client's mcpServers"),
            Option("--pypi", "REQUIREMENT", "a pinned PyPI requirement: name==version"),
            Option("--script", "NAME", "console script of the requirement"),
            Option("--name", "NAME", "the bundle's name; derived if not given"),
            Option("--kind", "KIND", f"{', '.join(_KINDS)}; a command is `command` if not given"),
            Option(
                "--port", "PORT", "fixed port of a web bundle; 0 or none: a free one each start"
            ),
            Option("--ready-path", "PATH", "path that answers 2xx when a web bundle is ready: /"),
            Option("--env", "NAME", "pass this variable, with its value in your environment"),
            Option("--env-stdin", "NAME", "pass this variable, with a value typed or piped in"),
            *OPTIONS,
            Option("--protected", "", "refuse respawn, stop and removal without a reason"),
            Option("--no-start", "", "install only"),
        ),
        rest="[-- COMMAND ...]",
        details="Values of variables are kept as credentials. With --pypi, what follows -- are "
        "the server's\narguments. A web bundle finds its port in PORT and as ${port} in its "
        "arguments.\n--app loads the app's code once, without starting it and without credentials, "
        "to learn\nits name and kind. --json prints the BundleView.",
    ),
)
