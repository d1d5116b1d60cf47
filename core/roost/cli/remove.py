"""``roost remove``: stop a bundle and take it out, once that is confirmed."""

from __future__ import annotations

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.references import BundleRef, find_bundle
from roost.cli.session import Session
from roost.cli.slots import FORCE, report
from roost.cli.verb import Verb
from roost.client.wire import Wire
from roost.errors import Refused


def _remove(session: Session, given: Arguments) -> int:
    session.check_may_act()
    if not given.has("yes") and not session.terminal.can_ask:
        raise usage_error("there is no terminal to confirm on; add --yes to remove the bundle")
    wire = session.actor()
    bundle = find_bundle(session, wire, given.operands[0])
    if not given.has("yes"):
        _confirm(session, wire, bundle, deletes_data=given.has("delete-data"))
    result = wire.send(
        "DELETE",
        bundle.path(),
        delete_data="true" if given.has("delete-data") else "false",
        reason=given.one("force"),
    )
    return report(session, result)


def _confirm(session: Session, wire: Wire, bundle: BundleRef, *, deletes_data: bool) -> None:
    """Ask for the bundle's name.

    Raises:
        Refused: something else was typed.
    """
    cuts = wire.get(bundle.path("impact"), action="bundle.remove")["sentence"]
    what = "its logs and state are deleted" if deletes_data else "its logs and runs stay"
    session.terminal.note(f"removing {bundle}: {cuts + '; ' if cuts else ''}{what}")
    if session.terminal.ask(f"type {bundle.name} to remove it:") != bundle.name:
        raise Refused(f"{bundle} was not removed: the name that was typed is another")


VERBS = (
    Verb(
        "remove",
        _remove,
        "BUNDLE",
        (
            Option("--yes", "", "do not ask"),
            Option("--delete-data", "", "delete its logs and state too"),
            FORCE,
        ),
        details="--json prints the ActionResult.",
    ),
)
