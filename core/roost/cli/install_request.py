"""Arguments of `roost add` and `roost upgrade` become the request that they stand for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.session import Session
from roost.cli.terminal import checked_text
from roost.models import BundleKind, InstallRequest, SourceKind
from roost.models.port import parse_port

_APP_ONLY = ("python",)
_HTTP = ("header", "header-stdin")
_OF_A_COMMAND = ("directory",)
_KINDS = {
    "mcp": BundleKind.MCP_STDIO,
    "mcp-http": BundleKind.MCP_HTTP,
    "web": BundleKind.WEB,
    "command": BundleKind.COMMAND,
    "worker": BundleKind.WORKER,
}
_ENVIRONMENT = ("env", "env-stdin")

SOURCE_OPTIONS = (
    Option("--app", "DIR", "the directory of an app written with the SDK"),
    Option(
        "--entry",
        "ENTRY",
        "the app's entry, such as app.py:app, or the server in a configuration",
    ),
    Option("--worker", "MODULE", "a Python module that registers tasks; it is in --directory"),
    Option("--python", "PATH", "interpreter of an app or worker; Roost's own if not given"),
    Option("--mcpb", "PATH", "an MCPB archive, or a folder with its manifest"),
    Option("--sha256", "HEX", "take the archive only if this is its SHA-256"),
    Option("--mcp-servers", "FILE ENTRY", "an entry of a client's configuration"),
    Option("--npm", "PACKAGE", "a package of npm: name, or name@version"),
    Option("--pypi", "PACKAGE", "a package of PyPI: name, or name==version"),
    Option("--script", "NAME", "the package's program"),
    Option("--url", "URL", "an MCP server over HTTP; with a command, where it listens"),
    Option("--kind", "KIND", f"{', '.join(_KINDS)}; a command is `command` if not given"),
    Option("--port", "PORT", "fixed port of a web bundle; 0 or none: a free one each start"),
    Option("--ready-path", "PATH", "path that answers 2xx when a web bundle is ready: /"),
    Option("--directory", "DIR", "working directory of a command; where a worker's module is"),
    Option("--env", "NAME", "pass this variable, with its value in your environment"),
    Option("--env-stdin", "NAME", "pass this variable, with a value typed or piped in"),
    Option("--header", "NAME", "send this header; X-Api-Key takes its value from X_API_KEY"),
    Option("--header-stdin", "NAME", "send this header, with a value typed or piped in"),
    Option("--resolve", "", "install what npx or uvx would fetch, pinned, and run that"),
    Option(
        "--allow-secret-arguments", "", "let credentials stand in the command line, readable by all"
    ),
    Option("--plan", "", "only show what would be installed and run"),
    Option("--yes", "", "do not ask"),
)


def read_request(session: Session, given: Arguments, operands: list[str]) -> InstallRequest:
    """Return the request for one operand, the options and what stands behind ``--``.

    Raises:
        BadInput: these do not go together, or what is meant is not clear.
    """
    request = _from_operand(given, operands) if operands else _from_options(given)
    request = replace(
        request,
        kind=_kind(given, request),
        env=_values(session, given, "env"),
        headers=_values(session, given, "header"),
        script=given.one("script"),
        sha256=given.one("sha256"),
        resolve=given.has("resolve"),
        secret_arguments=given.has("allow-secret-arguments"),
    )
    _check(given, request)
    return replace(
        request,
        python=_python(given),
        port=_port(given, request),
        ready_path=_ready_path(given, request),
        directory=None if request.source is SourceKind.WORKER else _directory(given),
    )


def _from_operand(given: Arguments, operands: list[str]) -> InstallRequest:
    from roost.client.what_to_add import request_for

    if named := [key for key in _READERS if given.has(key) and key != "url"]:
        raise usage_error(f"--{named[0]} and {operands[0]!r} both say what to add; leave one out")
    words = (*operands, *(given.rest or ()))
    entry = given.one("entry")
    request = request_for(words, directory=os.getcwd(), entry=entry)
    if any(request.env.values()):
        name = next(name for name, value in request.env.items() if value)
        raise usage_error(
            f"{name}=... would show its value to every user of this machine; use --env {name} or "
            f"--env-stdin {name}"
        )
    if request.source is SourceKind.APP and entry is not None:
        request = replace(request, entry=entry)
    if given.has("url"):
        request = replace(request, url=given.one("url"))
    return request


def _from_options(given: Arguments) -> InstallRequest:
    """Return what the options name; exactly one place must be named."""
    places = [key for key in _READERS if given.has(key)]
    if places in ([], ["url"]) and given.rest:
        return InstallRequest(
            SourceKind.COMMAND, command=_command(given.rest), url=given.one("url")
        )
    if len(places) != 1:
        raise usage_error(
            "say what to add: a file, a folder, a URL, npm:NAME, pypi:NAME, or -- and a command; "
            "see `roost add --help`"
        )
    if places[0] not in ("npm", "pypi") and given.rest:
        raise usage_error(f"--{places[0]} brings its own command; leave out what stands behind --")
    return _READERS[places[0]](given)


def _app(given: Arguments) -> InstallRequest:
    return InstallRequest(
        SourceKind.APP, path=_absolute(str(given.one("app"))), entry=given.one("entry")
    )


def _worker(given: Arguments) -> InstallRequest:
    directory = _directory(given) or os.getcwd()
    return InstallRequest(SourceKind.WORKER, path=directory, entry=given.one("worker"))


def _archive(given: Arguments) -> InstallRequest:
    return InstallRequest(SourceKind.MCPB, path=_absolute(str(given.one("mcpb"))))


def _client_entry(given: Arguments) -> InstallRequest:
    path, entry = given.values["mcp-servers"][-1]
    return InstallRequest(SourceKind.MCP_SERVERS, path=_absolute(path), entry=entry)


def _pypi(given: Arguments) -> InstallRequest:
    rest = tuple(given.rest or ())
    return InstallRequest(SourceKind.PYPI, requirement=given.one("pypi"), command=rest)


def _npm(given: Arguments) -> InstallRequest:
    rest = tuple(given.rest or ())
    return InstallRequest(SourceKind.NPM, requirement=given.one("npm"), command=rest)


def _url(given: Arguments) -> InstallRequest:
    return InstallRequest(SourceKind.URL, url=given.one("url"))


_READERS: dict[str, Callable[[Arguments], InstallRequest]] = {
    "app": _app,
    "worker": _worker,
    "mcpb": _archive,
    "mcp-servers": _client_entry,
    "npm": _npm,
    "pypi": _pypi,
    "url": _url,
}

_REFUSED = {
    SourceKind.APP: ("script", "kind", "sha256", "resolve", *_HTTP, *_OF_A_COMMAND),
    SourceKind.WORKER: ("script", "entry", "kind", "sha256", "resolve", *_HTTP),
    SourceKind.MCPB: (
        *("script", "kind", "entry", "resolve"),
        *(*_ENVIRONMENT, *_APP_ONLY, *_HTTP, *_OF_A_COMMAND),
    ),
    SourceKind.MCP_SERVERS: (
        *("script", "kind", "sha256"),
        *(*_ENVIRONMENT, *_APP_ONLY, *_HTTP, *_OF_A_COMMAND),
    ),
    SourceKind.NPM: ("entry", "sha256", *_APP_ONLY, *_HTTP, *_OF_A_COMMAND),
    SourceKind.PYPI: ("entry", "sha256", *_APP_ONLY, *_HTTP, *_OF_A_COMMAND),
    SourceKind.URL: (
        *("script", "kind", "entry", "sha256", "resolve", "allow-secret-arguments"),
        *(*_ENVIRONMENT, *_APP_ONLY, *_OF_A_COMMAND),
    ),
    SourceKind.COMMAND: ("script", "entry", "sha256", *_APP_ONLY),
}
"""Options that say nothing about what comes from a source."""

_CALLED = {
    SourceKind.APP: "an app, which says itself what it is",
    SourceKind.WORKER: "a worker, whose module says itself what it offers",
    SourceKind.MCPB: "an archive",
    SourceKind.MCP_SERVERS: "an entry of a client's configuration",
    SourceKind.NPM: "a package",
    SourceKind.PYPI: "a package",
    SourceKind.URL: "a server at a URL",
    SourceKind.COMMAND: "a command",
}


def _check(given: Arguments, request: InstallRequest) -> None:
    for key in _REFUSED[request.source]:
        if given.has(key):
            raise usage_error(f"--{key} does not go with {_CALLED[request.source]}")
    is_http = request.kind is BundleKind.MCP_HTTP
    if not is_http and (request.headers or request.url):
        raise usage_error("--url and --header go with --kind mcp-http")


def _command(words: list[str]) -> tuple[str, ...]:
    """Return the words of a command; a relative path to its program means the caller's own."""
    if "/" in words[0] and not words[0].startswith("$"):
        return _absolute(words[0]), *words[1:]
    return tuple(words)


def _absolute(path: str) -> str:
    if not path:
        raise usage_error("the path is empty; give the one of the file or folder to add")
    return os.path.abspath(os.path.expanduser(path))


def _python(given: Arguments) -> str | None:
    python = given.one("python")
    return _absolute(python) if python is not None and "/" in python else python


def _directory(given: Arguments) -> str | None:
    directory = given.one("directory")
    return None if directory is None else _absolute(directory)


def _kind(given: Arguments, request: InstallRequest) -> BundleKind:
    named = given.one("kind")
    if named is not None:
        if named not in _KINDS:
            raise usage_error(f"--kind is one of {', '.join(_KINDS)}")
        return _KINDS[named]
    if request.source is SourceKind.URL or (request.url and given.has("url")):
        return BundleKind.MCP_HTTP
    if request.source is SourceKind.COMMAND:
        return request.kind
    if request.source is SourceKind.WORKER:
        return BundleKind.WORKER
    return BundleKind.MCP_STDIO


def _port(given: Arguments, request: InstallRequest) -> int | None:
    text = given.one("port")
    if text is None:
        return None
    is_listening = request.kind is BundleKind.MCP_HTTP and request.source is SourceKind.COMMAND
    if not is_listening:
        _refuse_unless_web(request, "port")
    return parse_port(text, 0)


def _ready_path(given: Arguments, request: InstallRequest) -> str | None:
    path = given.one("ready-path")
    if path is not None:
        _refuse_unless_web(request, "ready-path")
    return path


def _refuse_unless_web(request: InstallRequest, key: str) -> None:
    """Refuse what only web bundles have; what kind an app is will only be known once it is read."""
    if request.source is not SourceKind.APP and request.kind is not BundleKind.WEB:
        raise usage_error(f"--{key} goes with --kind web")


def _values(session: Session, given: Arguments, option: str) -> dict[str, str]:
    """Collect values without one ever standing in an argument, where everyone can read it."""
    values: dict[str, str] = {}
    for name in given.every(option):
        _refuse_value(option, name)
        values[name] = _from_environment(session, option, name)
    piped = given.every(f"{option}-stdin")
    is_only = len(given.every("env-stdin")) + len(given.every("header-stdin")) == 1
    for name in piped:
        _refuse_value(f"{option}-stdin", name)
        values[name] = session.terminal.secret(name, takes_all=is_only)
    return values


def _from_environment(session: Session, option: str, name: str) -> str:
    variable = name if option == "env" else name.upper().replace("-", "_")
    if variable not in session.environ:
        raise usage_error(
            f"--{option} {name} takes the value from the environment, where {variable} is not set; "
            f"set it, or use --{option}-stdin {name}"
        )
    return checked_text(session.environ[variable], f"the value of {variable}")


def _refuse_value(option: str, name: str) -> None:
    if "=" in name or (":" in name and option.startswith("header")):
        raise usage_error(
            f"--{option} takes a name only: arguments are visible to every user of this machine"
        )
