"""``roost vault show`` and ``vault rotate``: the key of the credentials, never what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.cli.arguments import Arguments
from roost.cli.exit_codes import OK
from roost.cli.session import Session
from roost.cli.verb import Verb
from roost.cli.words import date_time, plural
from roost.client.json_text import parse

PLACES = {
    "keyring": "keyring of the system",
    "file": "file of the data directory",
    "given-file": "file named in the settings",
    "environment": "given by the settings",
}
"""What people call each place of the key."""


def _show(session: Session, given: Arguments) -> int:
    answer = session.reader().get_raw("/v1/vault")
    if session.is_json:
        session.terminal.json_text(answer)
        return OK
    vault = parse(answer)
    session.terminal.facts(_facts(vault))
    if vault["values_of_former_keys"]:
        session.terminal.note(
            "former keys open some values; restart the daemon to finish the rotation, or set what "
            "`roost doctor` names again"
        )
    return OK


def _rotate(session: Session, given: Arguments) -> int:
    vault = session.actor().send("POST", "/v1/vault/rotate")
    if session.is_json:
        session.terminal.json(vault)
    else:
        values = plural(vault["values"], "value")
        session.terminal.prose(
            f"sealed {values} with the new key {vault['key_id']}; the former key is gone, and no "
            "bundle was respawned"
        )
    return OK


def _facts(vault: Mapping[str, Any]) -> list[tuple[str, str]]:
    former = vault["values_of_former_keys"]
    rotated = vault["rotated_at"]
    return [
        ("key", vault["key_id"]),
        ("kept in", PLACES.get(vault["place"], vault["place"])),
        ("place", vault["described"]),
        ("values", plural(vault["values"], "value")),
        ("of former keys", plural(former, "value") if former else ""),
        ("rotated", "" if rotated is None else date_time(rotated)),
    ]


VERBS = (
    Verb(
        "vault show",
        _show,
        details="The key itself is never shown, only its id. --json prints the VaultView.",
    ),
    Verb(
        "vault rotate",
        _rotate,
        details="Values are sealed anew in one transaction and running bundles go on. A key that "
        "the settings give is\nrotated there: give the new one, the present one as "
        "ROOST_VAULT_KEY_PREVIOUS, and restart the daemon.\n--json prints the VaultView.",
    ),
)
