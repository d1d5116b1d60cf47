"""Installs of MCP servers over HTTP: somewhere else, or a command that listens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from roost.bundles.http_headers import take_headers_apart
from roost.bundles.http_url import check_own_url, check_url, looks_secret
from roost.bundles.install_place import (
    InstalledBundle,
    InstallPlace,
    check_program,
    check_texts,
    given_directory,
    runtime_of,
)
from roost.bundles.literals import LiteralEnvironment, take_apart
from roost.bundles.templates import CONFIG_PREFIX, refuse_sensitive_arguments
from roost.bundles.web import asked_port
from roost.errors import BadInput, BadUrl
from roost.models import (
    BundleKind,
    ConfigField,
    Definition,
    FieldType,
    InstallRequest,
    Runtime,
    Source,
    SourceKind,
)

DEFAULT_URL = "http://127.0.0.1:${port}/mcp"
"""Where a command listens that names no address: what the SDKs do by default."""

URL_FIELD = "URL"
"""Field of an address that itself is a secret."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a server answers and what every request brings."""

    url: str
    headers: dict[str, str]
    literal: LiteralEnvironment
    """Fields and values of the address, the headers and the environment."""


def read_http(request: InstallRequest, place: InstallPlace) -> InstalledBundle:
    """Read a request for a URL, or for a command of the kind MCP over HTTP.

    Raises:
        BadUrl, BadInput, BadPort, CommandNotFound: nothing was installed.
    """
    if request.ready_path is not None:
        raise BadInput("a readiness path is for web bundles only; leave it out")
    if request.source is SourceKind.URL:
        return _read_elsewhere(request, place)
    return _read_listening(request, place)


def _read_elsewhere(request: InstallRequest, place: InstallPlace) -> InstalledBundle:
    if request.command or request.env or request.port is not None or request.directory is not None:
        raise BadInput(
            "a server at a URL runs somewhere else: it gets no command, environment, port or "
            "directory; leave these out"
        )
    if not request.url:
        raise BadUrl("there is no URL to install; give one such as https://host/mcp")
    parts = check_url(request.url)
    found = _take_apart(request.url, request.headers, {})
    if looks_secret(parts):
        found = _hide_url(found)
    name = place.name(request.name, parts.hostname or "")
    definition = Definition(
        kind=BundleKind.MCP_HTTP,
        runtime=Runtime.ELSEWHERE,
        title=name,
        version="",
        command="",
        source=Source(SourceKind.URL, found.url),
        fields=found.literal.fields,
        url=found.url,
        headers=found.headers,
        settings=request.settings,
    )
    return InstalledBundle(name, definition, found.literal.values)


def _read_listening(request: InstallRequest, place: InstallPlace) -> InstalledBundle:
    if not request.command or not request.command[0]:
        raise BadInput("there is no command to install; give the program and its arguments")
    check_texts(request.command)
    program, *args = request.command
    url = request.url or DEFAULT_URL
    port = check_own_url(url, asked_port(request))
    env = {name: value for name, value in request.env.items() if name != "PORT"}
    found = _take_apart(url, request.headers, env)
    check_program(program, found.literal, place.programs)
    name = place.name(request.name, os.path.basename(program))
    definition = Definition(
        kind=BundleKind.MCP_HTTP,
        runtime=runtime_of(program),
        title=name,
        version="",
        command=program,
        source=Source(SourceKind.COMMAND, program),
        args=tuple(args),
        env=found.literal.env,
        fields=found.literal.fields,
        url=url,
        headers=found.headers,
        directory=given_directory(request),
        secret_arguments=request.secret_arguments,
        port=port,
        settings=request.settings,
    )
    refuse_sensitive_arguments(name, definition)
    return InstalledBundle(name, definition, found.literal.values)


def _take_apart(url: str, headers: Mapping[str, str], env: Mapping[str, str]) -> _Place:
    """Turn headers and environment into fields."""
    of_env = take_apart(env, BadInput)
    of_headers = take_headers_apart(headers, taken={*env, URL_FIELD})
    literal = LiteralEnvironment(
        (*of_headers.fields, *of_env.fields), {**of_headers.values, **of_env.values}, of_env.env
    )
    return _Place(url, of_headers.env, literal)


def _hide_url(found: _Place) -> _Place:
    """Keep an address that holds a key as a sensitive field."""
    field = ConfigField(
        key=URL_FIELD,
        type=FieldType.STRING,
        title="URL",
        description="address of the server, with the key in it",
        required=True,
        sensitive=True,
    )
    literal = LiteralEnvironment(
        (field, *found.literal.fields),
        {URL_FIELD: found.url, **found.literal.values},
        found.literal.env,
    )
    return replace(found, url=f"${{{CONFIG_PREFIX}{URL_FIELD}}}", literal=literal)
