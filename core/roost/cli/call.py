"""``roost call``: call a tool as a run, follow it, print its result."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.followed_run import follow, print_begun
from roost.cli.references import BundleRef, find_bundle
from roost.cli.session import Session
from roost.cli.verb import Verb
from roost.client.wire import Wire
from roost.models import CallRequest
from roost.models.codec import to_json


def _call(session: Session, given: Arguments) -> int:
    wire = session.actor()
    bundle = find_bundle(session, wire, given.operands[0])
    tool = given.operands[1]
    request = CallRequest(
        tool=tool,
        arguments=_arguments(wire, bundle, tool, given),
        scope=given.one("scope"),
        idempotency_key=given.one("key"),
    )
    if given.has("detach"):
        return print_begun(session, wire.send("POST", bundle.path("calls"), to_json(request)))
    events = wire.begin_and_follow(bundle.path("calls"), to_json(request))
    return follow(session, wire, events)


def _arguments(wire: Wire, bundle: BundleRef, tool: str, given: Arguments) -> dict[str, Any]:
    arguments = _json_object(given.one("args"))
    pairs = given.every("argument")
    if not pairs:
        return arguments
    schema = _properties(wire, bundle, tool)
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise usage_error(f"-a takes KEY=VALUE, not {name!r}")
        arguments[name] = typed_argument(name, text, schema.get(name) or {})
    return arguments


def _json_object(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value = json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise usage_error(f"--args is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise usage_error('--args must be a JSON object, such as {"path": "."}')
    return value


def _properties(wire: Wire, bundle: BundleRef, tool: str) -> dict[str, Any]:
    """Return the schema of each argument; of an unknown tool none, the call will say so."""
    schemas = [
        view["input_schema"] for view in wire.get(bundle.path("tools")) if view["name"] == tool
    ]
    return schemas[0].get("properties") or {} if schemas else {}


def typed_argument(name: str, text: str, schema: Mapping[str, Any]) -> Any:
    """Turn ``KEY=VALUE`` into the type that the tool's schema gives this argument.

    Strings are taken as they are and everything else is read as JSON; an argument without a type
    is JSON where that can be read, else a string.

    Raises:
        BadInput: the schema wants another type than a string, and the value is not JSON.
    """
    if schema.get("type") == "string":
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        if "type" not in schema or "string" in schema["type"]:
            return text
        raise usage_error(f"-a {name}: {text!r} is not a JSON {schema['type']}") from error


VERBS = (
    Verb(
        "call",
        _call,
        "BUNDLE TOOL",
        (
            Option("-a --argument", "KEY=VALUE", "one argument, typed by the tool's schema"),
            Option("--args", "JSON", "all arguments as a JSON object; - reads it from stdin"),
            Option("--scope", "SCOPE", "the thread or job it belongs to: one active run each"),
            Option("--key", "KEY", "idempotency key: the same call again gives the same run"),
            Option("-d --detach", "", "print the run's id and do not wait"),
        ),
        details="Progress goes to stderr, the result to stdout. Ctrl-C asks the run to stop. "
        "--json prints the\nRunDetail, or with --detach the RunView.",
    ),
)
