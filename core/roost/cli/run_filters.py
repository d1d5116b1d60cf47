"""Which runs a verb is about: its options and filter text as a query to the daemon."""

from __future__ import annotations

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.references import find_bundle
from roost.cli.session import Session
from roost.cli.words import now_ms
from roost.client.run_filter import KINDS, STATUSES, BadFilter, chosen, run_query, since_ms
from roost.client.wire import Wire

ACTIVE = ("pending", "running")

CHOICE = (
    Option("--status", "STATUS", "only runs of this status; may be given several times"),
    Option("--kind", "KIND", f"only runs of this kind: {', '.join(KINDS)}; several times too"),
    Option("--bundle", "BUNDLE", "only runs of this bundle"),
    Option("--scope", "SCOPE", "only runs of this scope"),
    Option("--since", "SPAN", "only runs begun in the last 30s, 10m, 1h or 2d"),
    Option("--active", "", "only runs that have not settled"),
    Option("--parent", "RUN", "only runs that this one began"),
)
"""Options of a verb that is about several runs."""


def chosen_query(session: Session, wire: Wire, given: Arguments) -> dict[str, object]:
    """Return the query for what the options and the filter text ask for.

    Raises:
        BadInput: something is asked for that does not exist, or twice.
    """
    try:
        asked = run_query(given.operands, now_ms())
        for name, value in _options(given).items():
            if name in asked:
                raise BadFilter(f"{name} is asked for twice: in the filter and as an option")
            asked[name] = value
    except BadFilter as error:
        raise usage_error(str(error)) from error
    if session.workspace is not None:
        asked["workspace"] = session.workspace
    bundle = asked.get("bundle")
    if isinstance(bundle, str) and "workspace" not in asked:
        found = find_bundle(session, wire, bundle)
        asked |= {"workspace": found.workspace, "bundle": found.name}
    return asked


def _options(given: Arguments) -> dict[str, object]:
    options: dict[str, object] = {
        name: value for name in ("bundle", "scope", "parent") if (value := given.one(name))
    }
    statuses = [word for text in given.every("status") for word in chosen("status", text, STATUSES)]
    if statuses or given.has("active"):
        options["status"] = (*statuses, *(ACTIVE if given.has("active") else ()))
    if kinds := [kind for text in given.every("kind") for kind in chosen("kind", text, KINDS)]:
        options["kind"] = tuple(kinds)
    if (span := given.one("since")) is not None:
        options["since"] = since_ms(span, now_ms())
    return options
