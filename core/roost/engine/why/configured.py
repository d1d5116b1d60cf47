"""The check of the credentials: can be read, are all there, and name files that exist."""

from __future__ import annotations

import os
from collections.abc import Iterator

from roost.engine.why.steps import Trouble, failed, passed
from roost.engine.why.subject import Subject
from roost.models import ConfigField, FieldType, FieldValue, WhyCheck, WhyStep

_ON_DISK = (FieldType.FILE, FieldType.DIRECTORY)


def check_credentials(subject: Subject) -> WhyStep:
    """Look whether the values of now let it start, and whether it runs with them."""
    check = WhyCheck.CREDENTIALS
    trouble = (
        _unreadable(subject)
        or _missing(subject)
        or (None if subject.is_serving else _trouble_with_files(subject))
        or _lagging(subject)
    )
    if trouble is not None:
        return failed(check, trouble)
    fields = subject.definition.fields
    if not fields:
        return passed(check, "it asks for none")
    revision = subject.credentials.revision if subject.credentials else 0
    return passed(check, f"every required field is set, revision {revision}")


def _unreadable(subject: Subject) -> Trouble | None:
    error = subject.credentials_error
    if error is None:
        return None
    return Trouble(
        f"its credentials cannot be read: {error.message}",
        f"mend that, or set them anew with `roost credentials {subject.label} --set FIELD`",
        action="bundle.credentials",
    )


def _missing(subject: Subject) -> Trouble | None:
    if not subject.missing:
        return None
    sets = " ".join(f"--set {name}" for name in subject.missing)
    verb, pronoun = ("is", "it") if len(subject.missing) == 1 else ("are", "them")
    titles = {field.key: field for field in subject.definition.fields}
    return Trouble(
        f"it needs {', '.join(subject.missing)}, which {verb} not set",
        f"`roost credentials {subject.label} {sets}` sets {pronoun}",
        tuple(_described(titles[name]) for name in subject.missing if name in titles),
        "bundle.credentials",
    )


def _described(field: ConfigField) -> str:
    kind = f"{field.type}, sensitive" if field.sensitive else str(field.type)
    told = field.description or field.title
    return f"{field.key} ({kind}){': ' + told if told and told != field.key else ''}"


def _trouble_with_files(subject: Subject) -> Trouble | None:
    problems = tuple(
        (field, problem)
        for field in subject.definition.fields
        if field.type in _ON_DISK and not field.sensitive
        for value in _values(subject, field)
        if (problem := _problem(field, value))
    )
    if not problems:
        return None
    field, problem = problems[0]
    return Trouble(
        f"its field {field.key} names {problem}",
        f"create it, or set another one with `roost credentials {subject.label} --set "
        f"{field.key}=PATH`; then {subject.respawn}",
        tuple(f"{field.key} names {problem}" for field, problem in problems),
        "bundle.credentials",
    )


def _values(subject: Subject, field: ConfigField) -> Iterator[str]:
    filled = subject.filling.filled
    value: FieldValue | None = filled.values.get(field.key) if filled is not None else None
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from value


def _problem(field: ConfigField, path: str) -> str | None:
    if not os.path.isabs(path):
        return None  # what a relative path means is the bundle's own business
    if not os.path.exists(path):
        return f"{path}, which does not exist"
    if os.path.isdir(path) != (field.type is FieldType.DIRECTORY):
        return f"{path}, which is no {field.type}"
    if not os.access(path, os.R_OK):
        return f"{path}, which the daemon may not read"
    return None


def _lagging(subject: Subject) -> Trouble | None:
    if "credentials" not in subject.view.stale or subject.generation is None:
        return None
    generation = subject.generation
    pending = ", as it is protected" if subject.view.restart_pending else ""
    return Trouble(
        f"generation {generation.number} runs with revision {generation.credential_revision} of "
        f"the credentials, and revision {subject.view.credential_revision} is set{pending}",
        f"{subject.respawn} brings it up to date",
        action="bundle.respawn",
    )
