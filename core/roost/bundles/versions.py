"""What one version of a bundle hands on to the next."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

from roost.bundles.templates import refuse_sensitive_arguments, sensitive_arguments
from roost.errors import BadFields
from roost.models import BundleSettings, ConfigField, Definition, FieldValue
from roost.vault import problem_with


def carried_over(
    current: Definition,
    following: Definition,
    name: str,
    *,
    secret: Container[str] = (),
    is_return: bool = False,
) -> Definition:
    """Return another version as the bundle would have it from now on.

    Its settings and its order of start stay. A field that was sensitive stays so: another version
    must not make a kept secret readable.

    Args:
        current: what the bundle has now.
        following: the other version.
        name: the bundle's name.
        secret: fields whose values are secret whatever this version says.
        is_return: whether the version was in use before; its command line was accepted then.

    Raises:
        SensitiveInArguments: it would show one in its command line.
    """
    sensitive = {field.key for field in current.fields if field.sensitive}
    definition = replace(
        following,
        settings=current.settings,
        after=current.after,
        secret_arguments=current.secret_arguments or following.secret_arguments,
        fields=tuple(
            replace(field, sensitive=True)
            if field.key in sensitive or field.key in secret
            else field
            for field in following.fields
        ),
    )
    if is_return and sensitive_arguments(definition):
        return replace(definition, secret_arguments=True)
    refuse_sensitive_arguments(name, definition)
    return definition


def secret_fields(definitions: Iterable[Definition], stored: Iterable[str]) -> frozenset[str]:
    """Return the fields whose kept values are secret, whatever another version says of them.

    Args:
        definitions: every version that is known.
        stored: fields that have a value; one that no version knows any more may be anything.
    """
    fields = [field for definition in definitions for field in definition.fields]
    known = {field.key for field in fields}
    return frozenset(
        {field.key for field in fields if field.sensitive}
        | {key for key in stored if key not in known}
    )


def is_same_content(current: Definition, following: Definition) -> bool:
    """Whether another version would start the very same thing."""
    return _content(current) == _content(following)


def _content(definition: Definition) -> Definition:
    """Return a definition without what belongs to the bundle or the place it lies in."""
    source = definition.source
    return replace(
        definition,
        root=None,
        settings=BundleSettings(),
        after=(),
        secret_arguments=False,
        source=source if source.sha256 is None else replace(source, origin=""),
        fields=tuple(replace(field, sensitive=False) for field in definition.fields),
    )


def check_misfits(
    name: str, fields: tuple[ConfigField, ...], values: Mapping[str, FieldValue]
) -> None:
    """Make sure that set values fit the fields of another version.

    Raises:
        BadFields: one does not; its value is not told.
    """
    misfits = {
        field.key: f"has a value that this version does not take, it {problem}; clear it first"
        for field in fields
        if field.key in values and (problem := problem_with(field, values[field.key]))
    }
    if misfits:
        raise BadFields(name, misfits)
