"""Templates of a definition: which placeholders there are, and which a definition may use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from roost.errors import SensitiveInArguments
from roost.models import ConfigField, Definition

CONFIG_PREFIX = "user_config."

SYSTEM_NAMES = frozenset(
    {"__dirname", "HOME", "DESKTOP", "DOCUMENTS", "DOWNLOADS", "pathSeparator", "/"}
)
"""Placeholders that stand for facts of the machine and the bundle."""

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")


def placeholders(template: str) -> tuple[str, ...]:
    """Return the names between ``${`` and ``}``, in order."""
    return tuple(_PLACEHOLDER.findall(template))


def substitute(template: str, lookup: Callable[[str], str | None]) -> str:
    """Replace placeholders in one pass; a name that `lookup` does not know stays as it is.

    What was put in is never looked at again, so a value may hold any text.
    """

    def replacement(match: re.Match[str]) -> str:
        found = lookup(match[1])
        return match[0] if found is None else found

    return _PLACEHOLDER.sub(replacement, template)


def config_key(template: str) -> str | None:
    """Return KEY when the template is ``${user_config.KEY}`` and nothing else."""
    match = _PLACEHOLDER.fullmatch(template)
    if match is None or not match[1].startswith(CONFIG_PREFIX):
        return None
    return match[1].removeprefix(CONFIG_PREFIX)


def config_keys(template: str) -> Iterator[str]:
    """Yield every KEY of ``${user_config.KEY}`` in the template."""
    for name in placeholders(template):
        if name.startswith(CONFIG_PREFIX):
            yield name.removeprefix(CONFIG_PREFIX)


def unknown_placeholder(template: str, fields: tuple[ConfigField, ...]) -> str | None:
    """Return the first placeholder that stands for nothing, or None."""
    known = SYSTEM_NAMES | {CONFIG_PREFIX + field.key for field in fields}
    return next((name for name in placeholders(template) if name not in known), None)


def misplaced_list(definition: Definition) -> tuple[str, str] | None:
    """Return a field of several values that stands inside a longer text, and that text.

    Several values can only become several arguments.
    """
    multiple = {field.key for field in definition.fields if field.multiple}
    longer_arguments = [arg for arg in definition.args if config_key(arg) is None]
    for template in (definition.command, *longer_arguments, *definition.env.values()):
        for key in config_keys(template):
            if key in multiple:
                return key, template
    return None


def refuse_sensitive_arguments(bundle: str, definition: Definition) -> None:
    """Make sure that no sensitive field becomes part of the argument vector unasked.

    Raises:
        SensitiveInArguments: one would, and the operator did not allow it for this bundle.
    """
    used = sensitive_arguments(definition)
    # The name of a program is told wherever it cannot be found, so no secret can be part of it.
    in_program = set(used).intersection(config_keys(definition.command))
    if in_program or (used and not definition.secret_arguments):
        raise SensitiveInArguments(bundle, used)


def sensitive_arguments(definition: Definition) -> tuple[str, ...]:
    """Return the sensitive fields that would stand in the command line, sorted."""
    sensitive = {field.key for field in definition.fields if field.sensitive}
    used = {
        key
        for template in (definition.command, *definition.args)
        for key in config_keys(template)
        if key in sensitive
    }
    return tuple(sorted(used))
