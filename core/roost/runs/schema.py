"""Holds the arguments of a tool call against the schema the tool has published.

A schema comes from a server, so it may be broken, refer to places on the network, or never end.
None of that reaches further than the one call: nothing is fetched, and no value is repeated in a
message, because arguments may hold secrets.

Importing this module loads a library of 4 MiB: do it in a thread, at the first call.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import Draft202012Validator, validator_for
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
from referencing.exceptions import Unresolvable

from roost.errors import BadArguments
from roost.models import ToolView

SHOWN = 80
"""Characters of a name or of a rule that a message repeats."""

_RULES = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minLength": "must have {} characters or more",
    "maxLength": "must have {} characters at most",
    "minItems": "must have {} items or more",
    "maxItems": "must have {} items at most",
    "pattern": "must match {}",
    "format": "must be a valid {}",
}


def check_arguments(tool: ToolView, arguments: dict[str, Any]) -> None:
    """Refuse arguments that break the tool's schema.

    Raises:
        BadArguments: they break it, or the schema itself cannot be used.
    """
    try:
        problem = _problem(tool.input_schema, arguments)
    except SchemaError as error:
        where = _path(error.absolute_path, "its top")
        raise BadArguments(tool.name, f"the server's schema for it is broken at {where}") from None
    except Unresolvable as error:
        reference = _shown(error.ref)
        raise BadArguments(
            tool.name, f"the server's schema for it refers to {reference}, which is not part of it"
        ) from None
    except (re.error, ValueError):
        raise BadArguments(
            tool.name, "the server's schema for it has a pattern or an address that is none"
        ) from None
    except RecursionError:
        raise BadArguments(
            tool.name, "the server's schema for it, or the arguments, are nested too deeply"
        ) from None
    if problem is not None:
        raise BadArguments(tool.name, _sentence(problem))


def _problem(schema: dict[str, Any], arguments: dict[str, Any]) -> ValidationError | None:
    draft: Any = Draft202012Validator
    if isinstance(schema.get("$schema"), str):
        draft = validator_for(schema, default=draft)
    draft.check_schema(schema)
    # The registry knows the published drafts and fetches nothing.
    return best_match(draft(schema, registry=REGISTRY).iter_errors(arguments))


def _sentence(problem: ValidationError) -> str:
    where = _path(problem.absolute_path, "the arguments")
    keyword, rule = str(problem.validator), problem.validator_value
    if keyword == "required" and isinstance(rule, list):
        missing = [name for name in rule if name not in problem.instance]
        return f"{where} must have {_listed(missing)}"
    if keyword == "additionalProperties" and rule is False:
        return f"{where} may not have {_listed(_extra(problem))}"
    if keyword == "type":
        return f"{where} must be of type {_listed([rule] if isinstance(rule, str) else rule)}"
    if keyword == "enum":
        return f"{where} must be one of {_listed(rule)}"
    if keyword in _RULES:
        return f"{where} {_RULES[keyword].format(_shown(rule))}"
    return f"{where} breaks the rule {_shown(keyword)} of the tool's schema"


def _extra(problem: ValidationError) -> list[str]:
    known = problem.schema.get("properties", {})
    patterns = problem.schema.get("patternProperties", {})
    return [
        name
        for name in problem.instance
        if name not in known and not any(re.search(pattern, name) for pattern in patterns)
    ]


def _path(path: Iterable[str | int], root: str) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return _shown(text.lstrip(".")) if text else root


def _listed(names: Iterable[Any]) -> str:
    shown = [_shown(name) for name in names]
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return ", ".join(shown[:5]) + more


def _shown(part: Any) -> str:
    text = str(part)
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")
