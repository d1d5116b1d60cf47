"""What a credential form writes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.modal_scenes import ENDPOINT, FORM, NOW, READ_ONLY, ROOTS, SECRET, TIMEOUT, TOKEN

from roost.models import ConfigField, CredentialOutcome, FieldType
from roost_tui.modals.credential_values import (
    Change,
    Draft,
    Unfit,
    build_write,
    change_of,
    clears_sensitive,
    form_after,
    initial_text,
    parse_text,
    problem_of,
)


def drafts(**texts: str | Draft) -> dict[str, Draft]:
    """Return untouched drafts with these changed."""
    untouched = {e.field.key: Draft(initial_text(e)) for e in FORM.fields}
    given = {k: v if isinstance(v, Draft) else Draft(v) for k, v in texts.items()}
    return untouched | given


def test_an_untouched_form_writes_nothing() -> None:
    write = build_write(FORM, drafts())
    assert write.set == {}
    assert write.clear == ()


def test_only_changed_fields_are_in_the_write() -> None:
    write = build_write(FORM, drafts(api_token=SECRET, timeout="45"))
    assert write.set == {"api_token": SECRET, "timeout": 45}
    assert write.clear == ()


def test_a_text_typed_back_to_what_is_stored_is_no_change() -> None:
    assert change_of(ENDPOINT, Draft("https://db.internal.example")) is Change.KEEP


def test_an_empty_sensitive_field_keeps_the_stored_value() -> None:
    assert initial_text(TOKEN) == ""
    assert change_of(TOKEN, Draft("")) is Change.KEEP


def test_an_emptied_plain_field_is_cleared() -> None:
    assert change_of(ENDPOINT, Draft("")) is Change.CLEAR


def test_a_marked_field_is_cleared() -> None:
    write = build_write(FORM, drafts(api_token=Draft(cleared=True)), "rotated out")
    assert write.clear == ("api_token",)
    assert write.reason == "rotated out"


def test_a_field_that_is_not_set_cannot_be_cleared() -> None:
    assert change_of(TIMEOUT, Draft(cleared=True)) is Change.KEEP


def test_only_a_cleared_sensitive_field_asks_for_a_reason() -> None:
    assert clears_sensitive(FORM, drafts(api_token=Draft(cleared=True)))
    assert not clears_sensitive(FORM, drafts(endpoint=""))
    assert not clears_sensitive(FORM, drafts(api_token=SECRET))


def test_lines_become_a_list_without_blank_ones() -> None:
    assert parse_text(ROOTS.field, " /srv/a \n\n/srv/b\n") == ["/srv/a", "/srv/b"]


@pytest.mark.parametrize(("text", "value"), [("5", 5), (" 2.5 ", 2.5), ("1e2", 100)])
def test_numbers_are_read_as_they_are_typed(text: str, value: float) -> None:
    parsed = parse_text(TIMEOUT.field, text)
    assert parsed == value
    assert isinstance(parsed, type(value))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("soon", "not a number"),
        ("nan", "not a number"),
        ("1_000", "not a number"),
        ("0", "the least allowed is 1"),
        ("9000", "the most allowed is 600"),
    ],
)
def test_a_bad_number_says_why(text: str, problem: str) -> None:
    assert problem_of(TIMEOUT, Draft(text)) == problem


def test_a_bad_line_names_its_number() -> None:
    ports = ConfigField("ports", FieldType.NUMBER, "Ports", multiple=True, maximum=65535)
    with pytest.raises(Unfit, match="line 2: the most allowed is 65535"):
        parse_text(ports, "80\n70000")


def test_a_draft_with_a_problem_is_never_written() -> None:
    with pytest.raises(Unfit):
        build_write(FORM, drafts(timeout="soon"))


def test_booleans_are_read_from_the_choice() -> None:
    assert build_write(FORM, drafts(read_only="false")).set == {"read_only": False}
    assert change_of(READ_ONLY, Draft("")) is Change.KEEP


def test_the_form_after_a_write_knows_who_and_when_but_no_secret() -> None:
    write = build_write(FORM, drafts(api_token=SECRET, endpoint="", timeout="45"))
    outcome = CredentialOutcome(5, ("api_token", "endpoint", "timeout"), "saved", None)
    after = form_after(FORM, write, outcome, NOW)
    by_key = {entry.field.key: entry for entry in after.fields}
    assert after.revision == 5
    assert by_key["api_token"].value is None
    assert by_key["api_token"].revision == 5
    assert not by_key["endpoint"].is_set
    assert by_key["timeout"].value == 45
    assert SECRET not in repr(after)


def test_the_first_write_leaves_nothing_to_restore() -> None:
    fresh = replace(FORM, revision=0, can_restore=False)
    write = build_write(FORM, drafts(timeout="45"))
    after = form_after(fresh, write, CredentialOutcome(1, ("timeout",), "saved", None), NOW)
    assert not after.can_restore
