"""`render`: a definition, its values and the facts of one start become a launch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from roost.bundles.fields import is_empty
from roost.bundles.forbidden import refuse_forbidden
from roost.bundles.http_headers import header_problem
from roost.bundles.http_url import PORT_PLACEHOLDER, check_url
from roost.bundles.programs import find_for_launch
from roost.bundles.templates import (
    CONFIG_PREFIX,
    config_key,
    config_keys,
    placeholders,
    refuse_sensitive_arguments,
    substitute,
)
from roost.errors import BadManifest, BadUrl
from roost.models import BundleKind, Definition, FieldValue, Launch, LaunchContext, Runtime
from roost.vault import value_text


def render(
    definition: Definition, values: Mapping[str, FieldValue], context: LaunchContext
) -> Launch:
    """Fill in the templates of a definition.

    Values are put in as they are and never expanded; only defaults may hold system placeholders.
    An argument or variable that refers to a field without a value is left out, and a name that
    stands for nothing stays as it is written.

    Args:
        definition: what to start.
        values: configured values; defaults stand in for those that are absent.
        context: facts of this start.

    Raises:
        BadManifest: several values stand inside a longer text, or a fact of the start is missing.
        SensitiveInArguments: a sensitive field would stand in the command line.
        CommandNotFound: the program does not exist or cannot be executed.
        ForbiddenVariable: it would pass a variable that no definition may pass.
        BadUrl: the address or a header cannot be sent.
    """
    filled = fill_in(definition, values, context)
    cwd = definition.directory or definition.root or context.state_dir
    return Launch(
        argv=_argv(definition, filled, filled.args),
        shown_argv=_argv(definition, filled, filled.shown_args),
        env=filled.env,
        cwd=cwd,
        env_names=filled.added,
        url=filled.url,
        address=filled.address,
        headers=filled.headers,
    )


def _argv(definition: Definition, filled: FilledIn, args: tuple[str, ...]) -> tuple[str, ...]:
    if definition.is_elsewhere:
        return ()
    return (find_for_launch(filled.command, filled.env), *args)


@dataclass(frozen=True, slots=True)
class FilledIn:
    """A definition with its templates filled in, before its program is looked for."""

    command: str
    args: tuple[str, ...] = field(repr=False)
    shown_args: tuple[str, ...]
    """`args` as they may be shown: a sensitive field stands in them as ``<KEY>``."""
    env: dict[str, str] = field(repr=False)
    added: tuple[str, ...]
    """Names that the definition adds to the environment, sorted."""
    values: dict[str, FieldValue] = field(repr=False)
    """Every field that has a value or a default, as the templates get it."""
    url: str | None = field(default=None, repr=False)
    address: str | None = None
    """`url` with the placeholders of sensitive fields left as they are."""
    headers: dict[str, str] = field(default_factory=dict, repr=False)


def fill_in(
    definition: Definition, values: Mapping[str, FieldValue], context: LaunchContext
) -> FilledIn:
    """Fill in the templates of a definition; see `render`.

    Raises:
        BadManifest: several values stand inside a longer text, or a fact of the start is missing.
        SensitiveInArguments: a sensitive field would stand in the command line.
        ForbiddenVariable: it would pass a variable that no definition may pass.
        BadUrl: the address or a header cannot be sent.
    """
    refuse_sensitive_arguments(definition.title, definition)
    renderer = _Renderer(definition, values, context)
    added = renderer.environment()
    return FilledIn(
        command=renderer.text(definition.command),
        args=tuple(arg for template in definition.args for arg in renderer.arguments(template)),
        shown_args=renderer.shown_arguments(),
        env=context.base_env | added,
        added=tuple(sorted(added)),
        values=renderer.given(),
        url=renderer.url(),
        address=renderer.address(),
        headers=renderer.headers(),
    )


_LISTENING = (BundleKind.WEB, BundleKind.MCP_HTTP)
"""Kinds that are told a port."""


class _Renderer:
    def __init__(
        self, definition: Definition, values: Mapping[str, FieldValue], context: LaunchContext
    ) -> None:
        self._definition = definition
        self._context = context
        self._system = _system_values(definition, context)
        self._values: dict[str, FieldValue | None] = {
            field.key: self._value(field.default, values.get(field.key))
            for field in definition.fields
        }

    def given(self) -> dict[str, FieldValue]:
        """Return the fields that have a value or a default."""
        return {key: value for key, value in self._values.items() if value is not None}

    def environment(self) -> dict[str, str]:
        """Return the variables that the definition adds."""
        definition, context = self._definition, self._context
        env = {
            name: self.text(template)
            for name, template in definition.env.items()
            if not self._lacks_value(template)
        }
        for name, value in env.items():
            refuse_forbidden(name, value)
        if definition.kind in _LISTENING and context.port is not None:
            env["PORT"] = str(context.port)
        runs_uv = definition.runtime is Runtime.UV and not definition.is_project
        if runs_uv and definition.root is not None:
            # `uv run` would make its environment inside the bundle's read-only directory.
            env.setdefault("UV_PROJECT_ENVIRONMENT", f"{context.state_dir}/.venv")
        return env

    def url(self) -> str | None:
        """Return where a server over HTTP answers."""
        template = self._definition.url
        if template is None:
            return None
        url = self.text(template)
        if self._context.port is not None or PORT_PLACEHOLDER not in template:
            check_url(url)
        return url

    def address(self) -> str | None:
        """Return where a server over HTTP answers, as it may be shown."""
        sensitive = {f"{CONFIG_PREFIX}{f.key}" for f in self._definition.fields if f.sensitive}
        template = self._definition.url
        if template is None:
            return None
        return substitute(template, lambda name: None if name in sensitive else self._lookup(name))

    def headers(self) -> dict[str, str]:
        """Return the headers of every request; those that refer to no value are left out."""
        headers = {
            name: self.text(template)
            for name, template in self._definition.headers.items()
            if not self._lacks_value(template)
        }
        for name, value in headers.items():
            if problem := header_problem(name, value):
                raise BadUrl(problem)
        return headers

    def arguments(self, template: str) -> list[str]:
        """Return the arguments one template stands for: none, one, or one per value."""
        if self._lacks_value(template):
            return []
        value = self._values.get(config_key(template) or "")
        return list(value) if isinstance(value, list) else [self.text(template)]

    def shown_arguments(self) -> tuple[str, ...]:
        """Return all arguments as they may be shown."""
        return tuple(
            shown for template in self._definition.args for shown in self._shown_arguments(template)
        )

    def _shown_arguments(self, template: str) -> list[str]:
        found = {f"{CONFIG_PREFIX}{f.key}": f for f in self._definition.fields}
        hidden = {name: f"<{f.key}>" for name, f in found.items() if f.sensitive}
        if hidden.keys().isdisjoint(placeholders(template)):
            return self.arguments(template)
        if self._lacks_value(template):
            return []
        return [substitute(template, lambda name: hidden.get(name) or self._lookup(name))]

    def text(self, template: str) -> str:
        """Fill in one template."""
        return substitute(template, self._lookup)

    def _lookup(self, name: str) -> str | None:
        if not name.startswith(CONFIG_PREFIX):
            return self._system_value(name)
        key = name.removeprefix(CONFIG_PREFIX)
        value = self._values.get(key)
        if isinstance(value, list):
            raise BadManifest(
                f"{self._definition.title!r} puts the several values of {key!r} inside a longer "
                "text; they can only be an argument of their own"
            )
        return None if value is None else value_text(value)

    def _system_value(self, name: str) -> str | None:
        if name == "prepared" and self._definition.requirements and not self._context.prepared_dir:
            raise BadManifest(
                f"{self._definition.title!r} has no private environment yet; respawn it, so that "
                "its prepare step runs"
            )
        return self._system.get(name)

    def _lacks_value(self, template: str) -> bool:
        return any(
            key in self._values and self._values[key] is None for key in config_keys(template)
        )

    def _value(self, default: FieldValue | None, found: FieldValue | None) -> FieldValue | None:
        chosen = default if is_empty(found) else found
        if chosen is None or is_empty(chosen):
            return None
        if chosen != default:
            return chosen
        # Equal text means the default was meant, also where it came back from the vault.
        if isinstance(chosen, list):
            return [self._expanded(element) for element in chosen]
        return self._expanded(chosen) if isinstance(chosen, str) else chosen

    def _expanded(self, default: str) -> str:
        return substitute(default, self._system.get)


def _system_values(definition: Definition, context: LaunchContext) -> dict[str, str]:
    found = {
        "HOME": context.home,
        "DESKTOP": f"{context.home}/Desktop",
        "DOCUMENTS": f"{context.home}/Documents",
        "DOWNLOADS": f"{context.home}/Downloads",
        "pathSeparator": "/",
        "/": "/",
    }
    optional = {
        "__dirname": definition.root,
        "prepared": context.prepared_dir,
        "port": None if context.port is None else str(context.port),
    }
    return found | {name: value for name, value in optional.items() if value is not None}
