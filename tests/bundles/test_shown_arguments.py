"""Secrets in a command line, where they were allowed, are never shown."""

from __future__ import annotations

import pytest

from roost.bundles import render
from roost.errors import SensitiveInArguments
from roost.models import (
    BundleKind,
    ConfigField,
    Definition,
    FieldType,
    LaunchContext,
    Runtime,
    Source,
    SourceKind,
)

SECRET = "hunter2-0123456789"

CONTEXT = LaunchContext(home="/home/ada", state_dir="/state", base_env={"PATH": "/usr/bin:/bin"})


def definition(*args: str, command: str = "sh", allowed: bool = True) -> Definition:
    return Definition(
        kind=BundleKind.COMMAND,
        runtime=Runtime.BINARY,
        title="Demo",
        version="",
        command=command,
        source=Source(SourceKind.COMMAND, "sh"),
        args=args,
        fields=(
            ConfigField("token", FieldType.STRING, "Token", sensitive=True),
            ConfigField("unset", FieldType.STRING, "Unset", sensitive=True),
            ConfigField("name", FieldType.STRING, "Name"),
        ),
        secret_arguments=allowed,
    )


def test_a_launch_gets_the_secret_and_shows_the_name_of_its_field() -> None:
    templates = ("--t=${user_config.token}", "${user_config.name}", "--u=${user_config.unset}")
    launch = render(definition(*templates), {"token": SECRET, "name": "ada"}, CONTEXT)
    assert launch.argv[1:] == (f"--t={SECRET}", "ada")
    assert launch.told_argv[1:] == ("--t=<token>", "ada")
    assert SECRET not in repr(launch)


@pytest.mark.parametrize(
    "refused",
    [
        definition("${user_config.token}", allowed=False),
        definition(command="/bin/${user_config.token}"),
    ],
)
def test_what_was_not_allowed_or_is_part_of_the_programs_name_is_refused(
    refused: Definition,
) -> None:
    with pytest.raises(SensitiveInArguments) as caught:
        render(refused, {"token": SECRET}, CONTEXT)
    assert SECRET not in str(caught.value)
