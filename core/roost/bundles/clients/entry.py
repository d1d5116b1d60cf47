"""One entry of a client's configuration in Roost's terms."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from roost.bundles.clients.codex import forwarded_variables, headers_from_variables
from roost.bundles.clients.env_files import EnvFile, read_env_file
from roost.bundles.clients.files import RawServer
from roost.bundles.clients.form import EntryForm, holds_marks
from roost.bundles.clients.locations import Client
from roost.bundles.clients.placeholders import Translator
from roost.bundles.clients.unfit import Unfit
from roost.bundles.http_headers import header_problem
from roost.bundles.http_url import check_url
from roost.bundles.literals import is_harmless, is_secret_name, variable_text
from roost.bundles.secret_shapes import address_pieces, argument_pieces
from roost.errors import BadConfigFile, BadInput
from roost.models import BundleKind

_URL_KEYS = ("url", "serverUrl", "httpUrl")
_STDIO_TYPES = ("stdio", "local")
_HTTP_TYPES = ("http", "streamable-http", "streamablehttp", "streamable_http", "remote")
_SSE = "speaks the former SSE transport, which Roost does not; use the server's address for HTTP"


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """What an entry comes to: templates, and the values that go to the vault."""

    kind: BundleKind
    form: EntryForm
    command: str = ""
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    url: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    directory: str | None = None
    env_file_sha256: str = ""
    error: BadInput | None = None
    """Why it cannot be installed."""
    problem: str = ""
    """The same for a plan that names the entry itself; empty when it can be installed."""

    @property
    def secret_arguments(self) -> tuple[str, ...]:
        return self.form.sensitive_in(self.args)


def read_entry(server: RawServer, home: str) -> ReadEntry:
    """Translate an entry; what cannot be taken over is its problem.

    Args:
        server: as its file has it.
        home: absolute path of its user's home directory.
    """
    try:
        return _EntryReader(server, EntryForm(), home).read()
    except Unfit as unfit:
        sentence = f"the entry {server.name!r} of {server.path} {unfit}"
        error: BadInput = BadConfigFile(sentence, entry=server.name)
        problem = f"it {unfit}"
    except BadInput as refused:
        error, problem = refused, refused.message
    return ReadEntry(_kind(server.body), EntryForm(), error=error, problem=problem)


def is_disabled(body: Any) -> bool:
    """Say whether a client has its entry switched off."""
    if not isinstance(body, dict):
        return False
    return body.get("disabled") is True or body.get("enabled") is False


def _kind(body: Any) -> BundleKind:
    """Return what an entry is that could not be read."""
    has_address = isinstance(body, dict) and any(body.get(key) for key in _URL_KEYS)
    return BundleKind.MCP_HTTP if has_address else BundleKind.MCP_STDIO


class _EntryReader:
    def __init__(self, server: RawServer, form: EntryForm, home: str) -> None:
        if not isinstance(server.body, dict):
            raise Unfit("is not an object; write it as {command, args, env}")
        self._server = server
        self._form = form
        self._home = home
        self._body: dict[str, Any] = server.body
        self._translator = Translator(server, form)

    def read(self) -> ReadEntry:
        kind = self._type()
        address = next((key for key in _URL_KEYS if self._body.get(key)), None)
        if kind in _STDIO_TYPES or (not kind and (address is None or self._body.get("command"))):
            return self._stdio()
        if kind == "sse" or self._is_gemini_sse(kind, address):
            raise Unfit(_SSE)
        if kind and kind not in _HTTP_TYPES:
            raise Unfit(f"is of the type {kind[:40]!r}, which Roost does not know")
        if address is None:
            raise Unfit("has no url; add one")
        return self._http(address)

    def _type(self) -> str:
        found = next((self._body[key] for key in ("type", "transport") if key in self._body), None)
        if found is not None and not isinstance(found, str):
            raise Unfit("has a type that is not a text; correct it")
        return (found or "").lower()

    def _is_gemini_sse(self, kind: str, address: str | None) -> bool:
        """Whether it is an address of the client that means SSE by `url` alone."""
        return self._server.client is Client.GEMINI and not kind and address == "url"

    # A command ------------------------------------------------------------------------------------

    def _stdio(self) -> ReadEntry:
        command = self._body.get("command")
        if not isinstance(command, str) or not command:
            raise Unfit("has no command; add one")
        directory = self._directory()
        file = self._env_file(directory)
        env = self._env(file.variables | self._mapping("env"))
        program = self._form.plain(self._translator.text(self._from_home(command)))
        if "/" in program and not program.startswith(("/", "${")) and directory:
            program = os.path.normpath(os.path.join(directory, program))
        return ReadEntry(
            BundleKind.MCP_STDIO,
            self._form,
            command=program,
            args=self._args(),
            env=env,
            directory=directory,
            env_file_sha256=file.sha256,
        )

    def _args(self) -> tuple[str, ...]:
        found = self._body.get("args")
        args = [] if found is None else found
        if not isinstance(args, list) or not all(isinstance(arg, str) for arg in args):
            raise Unfit("has args that are not a list of texts; correct them")
        texts = [self._translator.text(arg) for arg in args]
        before = ["", *texts]
        return tuple(
            self._form.template(argument_pieces(text, before[number - 1], number))
            for number, text in enumerate(texts, 1)
        )

    def _env(self, variables: Mapping[str, Any]) -> dict[str, str]:
        env = {name: self._variable(name, value) for name, value in variables.items()}
        for name in forwarded_variables(self._body):
            variable_text(name, "", BadConfigFile)
            mark = self._translator.variable(name, is_required=False)
            env.setdefault(name, self._form.plain(mark))
        return env

    def _variable(self, name: str, value: Any) -> str:
        literal = variable_text(name, value, BadConfigFile)
        text = self._translator.text(literal)
        plain = self._form.plain(text)
        if not holds_marks(text):
            is_sensitive = not is_harmless(name, text)
            return self._form.keep(name, text, is_sensitive=is_sensitive)
        if is_harmless(name, plain.replace("${HOME}", self._home)):
            return self._form.keep_default(name, plain)
        return self._form.hidden(name, text, is_secret=is_secret_name(name))

    def _env_file(self, directory: str | None) -> EnvFile:
        found = self._body.get("envFile")
        if not found:
            return EnvFile()
        if not isinstance(found, str):
            raise Unfit("has an envFile that is not a text; correct it")
        return read_env_file(self._own_path(found, directory, "envFile"))

    def _directory(self) -> str | None:
        """Return where it is started: what it says, or else the directory of its project."""
        found = self._body.get("cwd")
        if found is not None and not isinstance(found, str):
            raise Unfit("has a cwd that is not a text; correct it")
        if found:
            return self._own_path(found, self._server.project, "cwd")
        return self._server.project

    def _own_path(self, text: str, base: str | None, key: str) -> str:
        path = self._form.plain(self._translator.text(self._from_home(text)))
        path = path.replace("${HOME}", self._home) if self._home else path
        path = os.path.join(base or "", path)
        if "${" in path or not os.path.isabs(path):
            raise Unfit(f"has a {key} that only its client can resolve; write its full path there")
        return os.path.normpath(path)

    def _from_home(self, path: str) -> str:
        return self._home + path[1:] if self._home and path.startswith("~/") else path

    # An address -----------------------------------------------------------------------------------

    def _http(self, key: str) -> ReadEntry:
        address = self._body[key]
        if not isinstance(address, str):
            raise Unfit(f"has a {key} that is not a text; correct it")
        if address.startswith("unix:"):
            raise Unfit("answers on a Unix socket, which Roost does not speak HTTP over")
        url = self._form.template(address_pieces(self._translator.text(address), "URL"))
        check_url(self._form.filled(url, "x"))
        return ReadEntry(BundleKind.MCP_HTTP, self._form, url=url, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        given = self._mapping("headers") | self._mapping("http_headers")
        headers = {name: self._header(name, value) for name, value in given.items()}
        for name, (prefix, variable) in headers_from_variables(self._body).items():
            text = prefix + self._translator.variable(variable)
            headers[name] = self._checked_header(name, self._form.hidden(name, text))
        return headers

    def _header(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise Unfit(f"has a header {name[:40]!r} that is not a text; correct it")
        text = self._translator.text(value)
        if holds_marks(text):
            template = self._form.hidden(name, text, is_secret=is_secret_name(name))
        else:
            template = self._form.keep(name, text, is_sensitive=not is_harmless(name, text))
        return self._checked_header(name, template)

    def _checked_header(self, name: str, template: str) -> str:
        if problem := header_problem(name, self._form.filled(template, "x")):
            raise Unfit(problem)
        return template

    def _mapping(self, key: str) -> dict[str, Any]:
        found = self._body.get(key)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise Unfit(f"has {key} that are not an object; correct them")
        return found
