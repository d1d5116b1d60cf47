"""The reviewed plan of an import, and carrying out one choice of it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace

from roost.bundles.clients.entry import ReadEntry, is_disabled
from roost.bundles.clients.found import Found, FoundEntry
from roost.bundles.clients.install import (
    check_entry_program,
    definition_of,
    installed_entry,
)
from roost.bundles.clients.notes import notes_of
from roost.bundles.install_place import InstalledBundle, InstallPlace
from roost.bundles.wrappers import fetched_package, pinned_copy_of
from roost.errors import AlreadyExists, CommandNotFound, InvalidName
from roost.models import (
    Definition,
    ImportChoice,
    ImportEntry,
    ImportPlan,
    SourceKind,
    is_valid_name,
    slug,
)

_NAME_LENGTH = 63


def review(found: Found, installed: Mapping[str, Definition], place: InstallPlace) -> ImportPlan:
    """Say of every entry what it would become; no secret stands in any of it.

    Args:
        found: what a scan found.
        installed: bundles of the workspace by name.
        place: where imports would go.
    """
    names = _Names(installed)
    seen: list[FoundEntry] = []
    entries = []
    for entry in found.entries:
        entries.append(_reviewed(entry, names, seen, installed, place))
        seen.append(entry)
    return ImportPlan(found.files, tuple(entries))


def chosen_bundle(entry: FoundEntry, choice: ImportChoice, place: InstallPlace) -> InstalledBundle:
    """Return the bundle that a choice of a plan becomes.

    Raises:
        BadConfigFile, InvalidName, AlreadyExists, BadFields, CommandNotFound,
        SensitiveInArguments: it cannot be imported.
    """
    if choice.name is not None and not is_valid_name(choice.name):
        raise InvalidName(choice.name)
    name = choice.name or _Names(place.taken).free(entry.server.name)
    if name in place.taken:
        raise AlreadyExists("bundle", name)
    definition = definition_of(entry.server, entry.read, title=name)
    definition = replace(definition, secret_arguments=choice.secret_arguments)
    if not choice.resolve:
        check_entry_program(definition, entry.read, place)
    return installed_entry(name, definition, entry.read, choice.answers)


def _reviewed(
    entry: FoundEntry,
    names: _Names,
    seen: list[FoundEntry],
    installed: Mapping[str, Definition],
    place: InstallPlace,
) -> ImportEntry:
    server, read = entry.server, entry.read
    plain = ImportEntry(
        id=entry.id,
        client=server.client.value,
        path=str(server.path),
        entry=server.name,
        name=names.take(server.name),
        kind=read.kind,
        project=server.project,
        is_disabled=is_disabled(server.body),
        is_from_repository=server.is_from_repository,
        problem=_sentence(read.problem),
    )
    if read.problem:
        return plain
    definition = definition_of(server, read, title=plain.name)
    copy = pinned_copy_of(definition)
    has_program = _has_program(definition, read, place)
    return replace(
        plain,
        argv=tuple(map(read.form.shown, (read.command, *read.args))) if read.command else (),
        url=None if read.url is None else read.form.shown(read.url),
        env_names=tuple(sorted(read.env)),
        header_names=tuple(sorted(read.headers)),
        secrets=read.form.secrets,
        secret_arguments=read.secret_arguments,
        questions=read.form.questions,
        notes=notes_of(server, read, definition, has_program=has_program or copy is None),
        copy=copy,
        duplicate_of=next((other.id for other in seen if _is_same(other.read, read)), None),
        installed_as=_installed_as(definition, installed),
        problem="" if has_program or copy else _sentence(CommandNotFound(read.command).message),
    )


def _has_program(definition: Definition, read: ReadEntry, place: InstallPlace) -> bool:
    try:
        check_entry_program(definition, read, place)
    except CommandNotFound:
        return False
    return True


def _sentence(problem: str) -> str:
    problem = problem[:1].upper() + problem[1:]
    return f"{problem.rstrip('.')}." if problem else ""


def _is_same(one: ReadEntry, other: ReadEntry) -> bool:
    """Whether two entries start the same program, and none of their values says otherwise."""
    if one.problem or other.problem or one.kind is not other.kind:
        return False
    if _known_line(one) != _known_line(other):
        return False
    if one.directory and other.directory and one.directory != other.directory:
        return False
    return _agree(one, other, one.env, other.env) and _agree(one, other, one.headers, other.headers)


def _known_line(read: ReadEntry) -> tuple[str, ...]:
    return tuple(read.form.filled(text, "?") for text in (read.command, *read.args, read.url or ""))


def _agree(
    one: ReadEntry, other: ReadEntry, ones: Mapping[str, str], others: Mapping[str, str]
) -> bool:
    """Whether no variable that both files have a value for has two."""
    return all(
        one.form.filled(ones[name], "\0") == other.form.filled(others[name], "\0")
        or "\0" in one.form.filled(ones[name], "\0") + other.form.filled(others[name], "\0")
        for name in ones.keys() & others.keys()
    )


def _installed_as(definition: Definition, installed: Mapping[str, Definition]) -> str | None:
    return next((name for name, other in installed.items() if _is_of(definition, other)), None)


def _is_of(definition: Definition, other: Definition) -> bool:
    """Whether a bundle came from this entry, or starts the same program."""
    if definition.source.origin == other.source.origin or _is_copy(definition, other):
        return True
    return definition.kind is other.kind and (
        definition.command,
        definition.args,
        definition.url,
    ) == (other.command, other.args, other.url)


def _is_copy(definition: Definition, other: Definition) -> bool:
    """Whether a bundle is the pinned copy of the package that an entry fetches."""
    package = fetched_package(definition.command, definition.args)
    if package is None or package.registry is not other.source.kind:
        return False
    separator = "@" if package.registry is SourceKind.NPM else "=="
    name = other.source.origin.rpartition(separator)[0].partition("[")[0]
    # A copy of an npm package has the file of its program before the arguments.
    return name == package.name and package.args in (other.args, other.args[1:])


class _Names:
    """Bundle names that are free, each given once."""

    def __init__(self, taken: Container[str]) -> None:
        self._taken = taken
        self._given: set[str] = set()

    def take(self, wanted: str) -> str:
        found = self.free(wanted)
        self._given.add(found)
        return found

    def free(self, wanted: str) -> str:
        base, number = slug(wanted), 1
        name = base
        while name in self._taken or name in self._given:
            number += 1
            end = f"-{number}"
            name = base[: _NAME_LENGTH - len(end)].rstrip("-") + end
        return name
