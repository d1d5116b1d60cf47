"""``roost set``: change the settings of an installed bundle."""

from __future__ import annotations

from typing import Any

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.exit_codes import OK
from roost.cli.references import BundleRef, find_bundle
from roost.cli.session import Session
from roost.cli.setting_options import OPTIONS, read_how, read_limits, read_settings
from roost.cli.slots import reason_body, report
from roost.cli.verb import Verb
from roost.client.wire import Wire
from roost.models import SettingsChange
from roost.models.codec import to_json


def _set(session: Session, given: Arguments) -> int:
    session.check_may_act()
    change = _change(given)
    wire = session.actor()
    bundle = find_bundle(session, wire, given.operands[0])
    outcome = wire.send("PATCH", bundle.path("settings"), to_json(change))
    if given.has("respawn"):
        return _respawn(session, wire, bundle, outcome, given.one("force"))
    if session.is_json:
        session.terminal.json(outcome)
    else:
        session.terminal.prose(outcome["sentence"])
    return OK


def _respawn(
    session: Session, wire: Wire, bundle: BundleRef, outcome: dict[str, Any], reason: str | None
) -> int:
    """Let the running process have what shapes a start too."""
    if not outcome["needs_respawn"]:
        session.terminal.note(outcome["sentence"])
    return report(session, wire.send("POST", bundle.path("respawn"), reason_body(reason)))


def _change(given: Arguments) -> SettingsChange:
    _refuse_both(given, "after", "no-after")
    _refuse_both(given, "protected", "unprotected")
    _refuse_both(given, "snapshot-allow", "no-snapshot-allow")
    after = () if given.has("no-after") else tuple(given.every("after")) or None
    allowed: dict[str, Any] = {"snapshot_allow": ()} if given.has("no-snapshot-allow") else {}
    change = SettingsChange(
        **read_settings(given),
        **allowed,
        snapshot_how=read_how(given),
        limits=read_limits(given),
        after=after,
        protected=_protected(given),
        reason=given.one("force"),
    )
    if change == SettingsChange(reason=change.reason):
        raise usage_error("say what to change; `roost set --help` lists the settings")
    return change


def _protected(given: Arguments) -> bool | None:
    if given.has("protected"):
        return True
    return False if given.has("unprotected") else None


def _refuse_both(given: Arguments, one: str, other: str) -> None:
    if given.has(one) and given.has(other):
        raise usage_error(f"--{one} and --{other} contradict each other; give one of them")


VERBS = (
    Verb(
        "set",
        _set,
        "BUNDLE",
        (
            *OPTIONS,
            Option("--no-after", "", "wait for no other bundle"),
            Option("--no-snapshot-allow", "", "let no module copy the environment any more"),
            Option("--protected", "", "refuse respawn, stop and removal without a reason"),
            Option("--unprotected", "", "lift that; asks for --force REASON"),
            Option("--force", "REASON", "why, where the bundle is protected; kept in the audit"),
            Option("--respawn", "", "then replace the process, which a limit needs to count"),
        ),
        details="What is not named stays as it is, and all but the limits count at once: a limit "
        "is given to\na process as it is spawned, so until the next respawn the bundle is shown "
        "as stale.\nTo be handed over (--strategy handover) a bundle must bear to run twice for a "
        "moment.\n--json prints the SettingsOutcome, or with --respawn the RespawnResult.",
    ),
)
