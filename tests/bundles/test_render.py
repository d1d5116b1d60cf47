"""Templates, values and the facts of one start become exactly one launch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.bundles import missing_fields, render
from roost.errors import BadManifest, CommandNotFound, ForbiddenVariable, SensitiveInArguments
from roost.models import (
    BundleKind,
    ConfigField,
    Definition,
    FieldType,
    FieldValue,
    LaunchContext,
    Runtime,
    Source,
    SourceKind,
)

CONTEXT = LaunchContext(
    home="/home/ann", state_dir="/state", base_env={"PATH": "/usr/bin:/bin", "LANG": "C"}
)
FIELDS = (
    ConfigField("token", FieldType.STRING, "Token", required=True, sensitive=True),
    ConfigField("name", FieldType.STRING, "Name"),
    ConfigField("limit", FieldType.NUMBER, "Limit", default=3.0),
    ConfigField("debug", FieldType.BOOLEAN, "Debug"),
    ConfigField("home", FieldType.DIRECTORY, "Home", default="${HOME}/x${/}y"),
    ConfigField(
        "dirs", FieldType.DIRECTORY, "Folders", multiple=True, default=["${DESKTOP}", "/b b"]
    ),
)


def definition(**changes: Any) -> Definition:
    base: dict[str, Any] = {
        "kind": BundleKind.MCP_STDIO,
        "runtime": Runtime.BINARY,
        "title": "Demo",
        "version": "1",
        "command": "sh",
        "source": Source(SourceKind.COMMAND, "sh"),
        "fields": FIELDS,
    }
    return Definition(**(base | changes))


def args_of(*templates: str, **values: FieldValue) -> tuple[str, ...]:
    return render(definition(args=templates), values, CONTEXT).argv[1:]


def env_of(template: str, **values: FieldValue) -> str | None:
    return render(definition(env={"X": template}), values, CONTEXT).env.get("X")


def test_a_launch_has_the_resolved_program_and_only_the_allowed_environment() -> None:
    launch = render(
        definition(env={"TOKEN": "${user_config.token}", "LANG": "de"}), {"token": "t"}, CONTEXT
    )
    assert launch.argv == ("/usr/bin/sh",)
    assert launch.env == {"PATH": "/usr/bin:/bin", "LANG": "de", "TOKEN": "t"}
    assert launch.env_names == ("LANG", "TOKEN")
    assert launch.cwd == "/state"


def test_system_placeholders_are_filled_in() -> None:
    found = render(
        definition(
            root="/bundle",
            args=("${__dirname}/a", "${HOME}${/}b", "${DOCUMENTS}", "${DOWNLOADS}${pathSeparator}"),
        ),
        {},
        CONTEXT,
    )
    assert found.argv[1:] == (
        "/bundle/a",
        "/home/ann/b",
        "/home/ann/Documents",
        "/home/ann/Downloads/",
    )
    assert found.cwd == "/bundle"


@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_a_value_arrives_as_it_is(value: str) -> None:
    assert args_of("a${user_config.name}z", name=value) == (f"a{value}z",)
    assert env_of("${user_config.token}", token=value) == value


@pytest.mark.parametrize(
    "value", ["s3cr$$et $& $1", "${user_config.token}", "${HOME}", r"\g<0>\1", "${", "a\nb"]
)
def test_a_value_is_never_expanded(value: str) -> None:
    assert args_of("${user_config.name}", name=value, token="secret") == (value,)


def test_defaults_are_expanded_by_system_placeholders_only() -> None:
    assert args_of("${user_config.home}") == ("/home/ann/x/y",)
    assert args_of("${user_config.home}", home="${HOME}/x${/}y") == ("/home/ann/x/y",)
    assert args_of("${user_config.home}", home="${HOME}/own") == ("${HOME}/own",)


def test_several_values_become_several_arguments() -> None:
    assert args_of("${user_config.dirs}") == ("/home/ann/Desktop", "/b b")
    assert args_of("-d", "${user_config.dirs}", dirs=["/a"]) == ("-d", "/a")


def test_several_values_inside_a_longer_text_are_refused() -> None:
    with pytest.raises(BadManifest, match="dirs"):
        args_of("--dirs=${user_config.dirs}")
    with pytest.raises(BadManifest, match="dirs"):
        env_of("${user_config.dirs}")


def test_numbers_and_booleans_read_as_programs_expect_them() -> None:
    templates = ("${user_config.limit}", "${user_config.debug}")
    assert args_of(*templates, debug=True) == ("3", "true")
    assert args_of(*templates, debug=False, limit=0.5) == ("0.5", "false")
    assert args_of(*templates, debug=False, limit=1e20) == ("100000000000000000000", "false")


def test_what_refers_to_an_empty_field_is_left_out() -> None:
    assert args_of("a", "--name=${user_config.name}", "b") == ("a", "b")
    assert env_of("x${user_config.name}") is None
    assert env_of("${user_config.name}", name="") is None


def test_names_that_stand_for_nothing_stay_for_the_shell() -> None:
    assert args_of("${FOO}", "$HOME", "${user_config.nope}", "${}") == (
        "${FOO}",
        "$HOME",
        "${user_config.nope}",
        "${}",
    )


def test_a_web_app_gets_its_port() -> None:
    web = definition(kind=BundleKind.WEB, args=("--port=${port}",), env={"PORT": "1"})
    launch = render(web, {}, replace(CONTEXT, port=4711))
    assert launch.argv[1:] == ("--port=4711",)
    assert launch.env["PORT"] == "4711"


@pytest.mark.parametrize("name", ["ROOST_VAULT_KEY", "LD_PRELOAD", "NOTIFY_SOCKET"])
def test_a_variable_that_may_never_pass_is_refused_at_a_start_too(name: str) -> None:
    with pytest.raises(ForbiddenVariable, match=name):
        render(definition(env={name: "x", "OTHER": "y"}), {}, CONTEXT)


def test_a_value_set_later_cannot_load_code_that_the_definition_could_not() -> None:
    field = ConfigField("NODE_OPTIONS", FieldType.STRING, "NODE_OPTIONS")
    served = definition(env={"NODE_OPTIONS": "${user_config.NODE_OPTIONS}"}, fields=(field,))
    launch = render(served, {"NODE_OPTIONS": "--max-old-space-size=512"}, CONTEXT)
    assert launch.env["NODE_OPTIONS"] == "--max-old-space-size=512"
    with pytest.raises(ForbiddenVariable, match="--require"):
        render(served, {"NODE_OPTIONS": "--require /tmp/x.js"}, CONTEXT)


def test_uv_keeps_its_environment_out_of_the_bundle() -> None:
    launch = render(definition(runtime=Runtime.UV, root="/bundle"), {}, CONTEXT)
    assert launch.env["UV_PROJECT_ENVIRONMENT"] == "/state/.venv"


def test_a_prepared_bundle_needs_its_environment() -> None:
    prepared = definition(command="${prepared}/bin/sh", requirements=("x==1",))
    with pytest.raises(BadManifest, match="prepare step"):
        render(prepared, {}, CONTEXT)
    assert render(prepared, {}, replace(CONTEXT, prepared_dir="/usr")).argv == ("/usr/bin/sh",)


def test_a_secret_never_reaches_the_arguments() -> None:
    with pytest.raises(SensitiveInArguments, match="token"):
        args_of("${user_config.token}", token="secret")


@pytest.mark.parametrize("command", ["absent-program", "/no/such", "/etc", "./sh", "bin/sh", ""])
def test_a_program_that_cannot_be_executed_is_refused(command: str) -> None:
    with pytest.raises(CommandNotFound):
        render(definition(command=command), {}, CONTEXT)


def test_the_program_is_looked_up_where_the_child_would_look() -> None:
    with pytest.raises(CommandNotFound):
        render(definition(env={"PATH": "/nowhere"}), {}, CONTEXT)


def test_missing_fields_are_required_ones_without_value_and_default() -> None:
    assert missing_fields(definition(), {}) == ("token",)
    assert missing_fields(definition(), {"token": ""}) == ("token",)
    assert missing_fields(definition(), {"token": "t"}) == ()
    required = tuple(replace(field, required=True) for field in FIELDS)
    values: dict[str, FieldValue] = {"token": "t", "debug": False}
    assert missing_fields(definition(fields=required), values) == ("name",)
