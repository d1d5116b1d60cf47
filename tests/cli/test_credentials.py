"""``roost credentials``: values come in by stdin and variables, and never go out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.command_line import roost
from tests.support.fake_engine import FakeEngine, bundle_view
from tests.support.served_engine import ServedEngine, served

from roost.models import (
    ConfigField,
    CredentialForm,
    CredentialOutcome,
    CredentialWrite,
    FieldType,
    StartStep,
)
from roost.models.codec import from_json

FIELDS = (
    ConfigField("token", FieldType.STRING, "Token", required=True, sensitive=True),
    ConfigField("pin", FieldType.STRING, "Pin", sensitive=True),
    ConfigField("limit", FieldType.NUMBER, "Limit", default=10.0),
    ConfigField("quiet", FieldType.BOOLEAN, "Quiet"),
    ConfigField("place", FieldType.DIRECTORY, "Place"),
    ConfigField("roots", FieldType.DIRECTORY, "Roots", multiple=True),
)


def _engine() -> FakeEngine:
    fake = FakeEngine(workspaces=("w",))
    fake.add_bundle(bundle_view("app", workspace="w"))
    fake.set_form("w", "app", FIELDS, {"token": "old-secret", "limit": 5.0})
    return fake


@pytest.fixture
def engine() -> Iterator[ServedEngine]:
    with served(_engine()) as engine:
        yield engine


def _written(engine: ServedEngine) -> CredentialWrite:
    [call] = engine.fake.called("write_credentials")
    write = call["write"]
    assert isinstance(write, CredentialWrite)
    return write


def test_the_form_shows_what_is_set_and_no_sensitive_value(engine: ServedEngine) -> None:
    done = roost(engine.data_dir, "credentials", "app")
    assert done.code == 0
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert "(set, not shown)" in lines["token"]
    assert "string, sensitive" in lines["pin"]
    assert " 5 " in lines["limit"]
    assert "old-secret" not in done.out
    form = roost(engine.data_dir, "credentials", "app", "--json")
    assert from_json(form.out, CredentialForm).revision == 1


def test_a_sensitive_value_is_read_whole_from_stdin(engine: ServedEngine) -> None:
    key = "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"
    done = roost(engine.data_dir, "credentials", "app", "--set", "token", stdin=key)
    assert done.code == 0
    assert _written(engine).set == {"token": key.rstrip("\n")}
    assert "BEGIN" not in done.out + done.err


def test_several_fields_take_a_line_of_stdin_each_in_one_write(engine: ServedEngine) -> None:
    argv = ["credentials", "app", "--set", "token", "--set", "pin", "--clear", "limit"]
    done = roost(engine.data_dir, *argv, "--json", stdin="first\nsecond\n")
    assert from_json(done.out, CredentialOutcome).revision == 2
    write = _written(engine)
    assert write.set == {"token": "first", "pin": "second"}
    assert write.clear == ("limit",)


def test_values_are_typed_by_the_form(
    engine: ServedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/tmp")
    sets = ["limit=7", "quiet=no", "place=here", "roots=/a", "roots=b"]
    options = [part for item in sets for part in ("--set", item)]
    assert roost(engine.data_dir, "credentials", "app", *options).code == 0
    assert _written(engine).set == {
        "limit": 7.0,
        "quiet": False,
        "place": "/tmp/here",
        "roots": ["/a", "/tmp/b"],
    }


def test_a_value_can_come_from_a_variable(engine: ServedEngine) -> None:
    argv = ["credentials", "app", "--set-from-env", "token=APP_TOKEN"]
    assert roost(engine.data_dir, *argv, environ={"APP_TOKEN": "new-secret"}).code == 0
    assert _written(engine).set == {"token": "new-secret"}


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--set", "token=hunter2"], "arguments are visible"),
        (["--set", "tokn=hunter2"], "no field 'tokn'"),
        (["--set", "limit=hunter2"], "takes a number"),
        (["--set", "quiet=hunter2"], "true or false"),
        (["--set", "pin"], "no value was given for pin"),
        (["--clear", "tokn"], "no field 'tokn'"),
        (["--set-from-env", "token"], "FIELD=VARIABLE"),
        (["--set-from-env", "token=MISSING"], "no variable of this name"),
        (["--restore", "--clear", "pin"], "goes with no other option"),
        (["--reason", "because"], "--reason goes with"),
    ],
)
def test_a_write_that_cannot_be_right_changes_nothing_and_repeats_no_value(
    engine: ServedEngine, argv: list[str], sentence: str
) -> None:
    done = roost(engine.data_dir, "credentials", "app", *argv)
    assert done.code == 2
    assert sentence in done.err
    assert "hunter2" not in done.err + done.out
    assert engine.fake.called("write_credentials") == []


def test_a_write_whose_respawn_fails_is_reported_with_both_parts(engine: ServedEngine) -> None:
    engine.do(lambda fake: fake.fail_next_start(StartStep.HANDSHAKE, "it did not answer"))
    done = roost(engine.data_dir, "credentials", "app", "--set", "limit=7")
    assert done.code == 1
    assert "limit changed in revision 2" in done.out
    assert "it did not answer" in done.err


def test_the_previous_revision_is_restored_or_refused(engine: ServedEngine) -> None:
    assert roost(engine.data_dir, "credentials", "app", "--restore").code == 4
    roost(engine.data_dir, "credentials", "app", "--set", "limit=7")
    assert roost(engine.data_dir, "credentials", "app", "--restore").code == 0


def test_clearing_on_a_protected_bundle_takes_the_reason_along(engine: ServedEngine) -> None:
    engine.do(lambda fake: fake.change_bundle("w", "app", protected=True))
    clear: list[Any] = ["credentials", "app", "--clear", "pin"]
    assert roost(engine.data_dir, *clear).code == 4
    roost(engine.data_dir, *clear, "--reason", "leaked")
    assert engine.fake.called("write_credentials")[-1]["write"].reason == "leaked"


def test_a_bundle_without_fields_says_so(engine: ServedEngine) -> None:
    engine.do(lambda fake: fake.add_bundle(bundle_view("plain", workspace="w")))
    assert "asks for no credentials" in roost(engine.data_dir, "credentials", "plain").err


@pytest.mark.parametrize("value", ["nan", "inf", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_refused_with_its_field(
    engine: ServedEngine, value: str
) -> None:
    done = roost(engine.data_dir, "credentials", "app", "--set", f"limit={value}")
    assert done.code == 2 and "limit takes a finite number" in done.err
    assert engine.fake.called("write_credentials") == []


def test_an_empty_path_is_not_taken_for_the_present_directory(engine: ServedEngine) -> None:
    roost(engine.data_dir, "credentials", "app", "--set", "place=", "--set", "roots=")
    assert _written(engine).set == {"place": "", "roots": [""]}


def test_a_value_that_is_not_text_is_refused_without_a_crash(engine: ServedEngine) -> None:
    for argv, stdin, environ in (
        (["--set", "token"], "sk-\udcff-live", {}),
        (["--set-from-env", "token=KEY"], "", {"KEY": "sk-\udcff-live"}),
        (["--set", "limit=\udcff"], "", {}),
    ):
        done = roost(engine.data_dir, "credentials", "app", *argv, stdin=stdin, environ=environ)
        assert done.code == 2 and "is not UTF-8 text" in done.err and "sk-" not in done.err
    assert engine.fake.called("write_credentials") == []
