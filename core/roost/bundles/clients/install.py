"""Entries of clients as bundles: by a reviewed plan, or one that was named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from roost.bundles.clients.entry import ReadEntry, read_entry
from roost.bundles.clients.files import RawServer, read_config
from roost.bundles.clients.locations import given_location
from roost.bundles.install_place import (
    InstalledBundle,
    InstallPlace,
    check_program,
    given_path,
    runtime_of,
)
from roost.bundles.literals import LiteralEnvironment
from roost.bundles.templates import refuse_sensitive_arguments
from roost.bundles.user_config import displayed
from roost.bundles.web import refuse_web
from roost.errors import BadConfigFile, BadFields
from roost.models import (
    BundleKind,
    BundleSettings,
    ConfigField,
    Definition,
    FieldValue,
    InstallRequest,
    Runtime,
    Source,
    SourceKind,
)
from roost.vault import problem_with


def read_client_entry(request: InstallRequest, place: InstallPlace) -> InstalledBundle:
    """Read a request for one entry of a file; what it asks for is left to be set later.

    Raises:
        BadConfigFile: the file or the entry cannot be used.
        AlreadyExists, CommandNotFound, SensitiveInArguments: nothing was installed.
    """
    refuse_web(request)
    path = given_path(request, BadConfigFile)
    config = read_config(given_location(str(path)))
    if config is None or config.problem:
        raise BadConfigFile(config.problem if config else f"{path} is not there; check the path")
    server = _chosen(str(path), config.servers, request.entry)
    read = read_entry(server, place.home)
    name = place.name(request.name, server.name)
    definition = replace(
        definition_of(server, read, title=name),
        settings=request.settings,
        secret_arguments=request.secret_arguments,
    )
    if not request.resolve:
        check_entry_program(definition, read, place)
    return installed_entry(name, definition, read, {})


def definition_of(server: RawServer, read: ReadEntry, *, title: str) -> Definition:
    """Return what an entry is as a bundle, without any value.

    Raises:
        BadConfigFile, ForbiddenVariable, BadUrl: it cannot be imported.
    """
    if read.error is not None:
        raise read.error
    is_http = read.kind is BundleKind.MCP_HTTP
    return Definition(
        kind=read.kind,
        runtime=Runtime.ELSEWHERE if is_http else runtime_of(read.command),
        title=displayed(server.name) or title,
        version="",
        command=read.command,
        source=Source(SourceKind.MCP_SERVERS, f"{server.path}#{server.name}"),
        args=read.args,
        env=read.env,
        fields=read.form.fields,
        url=read.url,
        headers=read.headers,
        directory=read.directory,
        settings=BundleSettings(),
    )


def installed_entry(
    name: str,
    definition: Definition,
    read: ReadEntry,
    answers: Mapping[str, FieldValue],
) -> InstalledBundle:
    """Return the bundle of an entry with its literal values and the answers to its questions.

    Raises:
        BadFields: an answer does not fit, or nothing was asked by its name.
        SensitiveInArguments: secrets stand in its command line, and that was not allowed.
    """
    _check_answers(name, read, answers)
    values = read.form.values | {key: value for key, value in answers.items() if value != ""}
    refuse_sensitive_arguments(name, definition)
    return InstalledBundle(name, definition, values)


def check_entry_program(definition: Definition, read: ReadEntry, place: InstallPlace) -> None:
    """Make sure that the program of an entry can be found.

    Raises:
        CommandNotFound: there is no such program.
    """
    if definition.kind is BundleKind.MCP_HTTP:
        return
    variables = _variables(definition, read.form.values)
    program = definition.command.replace("${HOME}", place.home)
    check_program(program, LiteralEnvironment((), variables, {}), place.programs)


def _chosen(path: str, servers: tuple[RawServer, ...], name: str | None) -> RawServer:
    listed = ", ".join(repr(server.name) for server in servers) or "none"
    if name is None:
        if len(servers) == 1:
            return servers[0]
        raise BadConfigFile(f"{path} has these entries: {listed}; name the one to install")
    named = [server for server in servers if server.name == name]
    if not named:
        raise BadConfigFile(f"{path} has no entry {name!r}; it has: {listed}")
    return named[0]


def _check_answers(name: str, read: ReadEntry, answers: Mapping[str, FieldValue]) -> None:
    fields = {field.key: field for field in read.form.fields}
    asked = {question.key: question.choices for question in read.form.questions}
    problems = {
        key: "is not asked for"
        if key not in asked
        else _answer_problem(fields[key], asked[key], value)
        for key, value in answers.items()
    }
    if found := {key: problem for key, problem in problems.items() if problem}:
        raise BadFields(name, found)


def _answer_problem(field: ConfigField, choices: tuple[str, ...], value: FieldValue) -> str | None:
    if value == "":
        return None
    if choices and value not in choices:
        return f"is one of {', '.join(choices[:20])}"
    return problem_with(field, value)


def _variables(definition: Definition, values: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """Return the variables whose values are known, by their names."""
    found = {}
    for name, template in definition.env.items():
        key = template.removeprefix("${user_config.").removesuffix("}")
        if key in values:
            found[name] = values[key]
    return found
