"""What a credential form says."""

from __future__ import annotations

from dataclasses import replace

from tests.support.modal_scenes import (
    BUNDLE,
    CERTIFICATE,
    ENDPOINT,
    IMPACT,
    NOW,
    READ_ONLY,
    ROOTS,
    SECRET,
    TIMEOUT,
    TOKEN,
)

from roost.models import Impact
from roost_tui.modals.credential_values import Draft, initial_text
from roost_tui.modals.credential_wording import bounds_of, saving_sentence, status_of, warning_of


def test_a_set_secret_says_since_when_and_that_empty_keeps_it() -> None:
    status = status_of(TOKEN, Draft(), NOW)
    assert status == "set 3m ago by ops, revision 4 - leave empty to keep"


def test_a_set_plain_field_says_since_when() -> None:
    assert (
        status_of(ENDPOINT, Draft(initial_text(ENDPOINT)), NOW) == "set 3d ago by ana, revision 2"
    )


def test_an_unset_field_shows_its_default() -> None:
    assert status_of(TIMEOUT, Draft(), NOW) == "not set; default 30"
    assert status_of(READ_ONLY, Draft(), NOW) == "not set; default yes"


def test_the_default_of_a_secret_is_not_shown() -> None:
    field = replace(TOKEN.field, default=SECRET)
    status = status_of(replace(TOKEN, field=field, is_set=False), Draft(), NOW)
    assert status == "not set; a default applies"
    cleared = warning_of(replace(TOKEN, field=field), Draft(cleared=True))
    assert cleared is not None
    assert SECRET not in cleared


def test_a_pasted_key_says_how_many_lines_it_has() -> None:
    status = status_of(TOKEN, Draft("-----BEGIN\nabc\n-----END"), NOW)
    assert status == "replaces the value set 3m ago by ops, revision 4 - 3 lines"


def test_clearing_a_required_field_says_that_the_bundle_will_not_start() -> None:
    words = "saving clears it; the bundle does not start without it"
    assert warning_of(TOKEN, Draft(cleared=True)) == words


def test_a_missing_required_field_is_a_warning_only() -> None:
    missing = replace(TOKEN, is_set=False)
    assert warning_of(missing, Draft()) == "required; the bundle does not start without it"


def test_a_relative_path_is_warned_about() -> None:
    assert warning_of(CERTIFICATE, Draft("certs/ca.pem"))
    assert warning_of(CERTIFICATE, Draft("/etc/ca.pem")) is None
    assert warning_of(CERTIFICATE, Draft("${HOME}/ca.pem")) is None


def test_a_field_says_what_it_takes() -> None:
    assert bounds_of(TIMEOUT.field) == "number from 1 to 600"
    assert bounds_of(ROOTS.field) == "path of a directory, one per line"


def test_saving_says_what_it_cuts() -> None:
    assert saving_sentence(BUNDLE, IMPACT) == "Saving respawns db-query: cuts 2 runs."


def test_saving_says_when_nothing_is_cut_or_it_cannot_be_known() -> None:
    idle = Impact((), is_known=True, protected=False, sentence="")
    assert saving_sentence(BUNDLE, idle).endswith("nothing is in flight.")
    unknown = replace(idle, is_known=False)
    assert saving_sentence(BUNDLE, unknown).endswith("cannot be seen.")


def test_saving_a_protected_or_stopped_bundle_says_that_it_goes_on_as_it_is() -> None:
    assert "waits for its next respawn" in saving_sentence(BUNDLE, replace(IMPACT, protected=True))
    stopped = replace(BUNDLE, should_run=False)
    assert saving_sentence(stopped, IMPACT).endswith("saving starts nothing.")
