"""Which bundles may be handed over."""

from dataclasses import replace

import pytest

from roost.bundles import check_strategy
from roost.errors import BadInput
from roost.models import (
    BundleKind,
    BundleSettings,
    Definition,
    RespawnStrategy,
    Runtime,
    Source,
    SourceKind,
)
from roost.models.handover import hands_over

HANDOVER = BundleSettings(strategy=RespawnStrategy.HANDOVER)

SERVER = Definition(
    kind=BundleKind.MCP_STDIO,
    runtime=Runtime.PYTHON,
    title="Server",
    version="1",
    command="serve",
    source=Source(SourceKind.COMMAND, "serve"),
    settings=HANDOVER,
)


@pytest.mark.parametrize("kind", [BundleKind.MCP_STDIO, BundleKind.MCP_HTTP, BundleKind.WEB])
def test_what_may_run_twice_may_be_handed_over(kind: BundleKind) -> None:
    definition = replace(SERVER, kind=kind)
    check_strategy("app", definition)
    assert hands_over(definition)


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        (replace(SERVER, kind=BundleKind.WEB, port=8080), "fixed port 8080"),
        (replace(SERVER, kind=BundleKind.COMMAND), "plain command"),
    ],
)
def test_what_cannot_run_twice_is_refused_with_the_reason_and_the_way_out(
    definition: Definition, why: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        check_strategy("app", definition)
    assert why in refusal.value.message and "'replace'" in refusal.value.message
    assert not hands_over(definition)
    check_strategy("app", replace(definition, settings=BundleSettings()))


def test_nobody_is_handed_over_unasked() -> None:
    assert not hands_over(replace(SERVER, settings=BundleSettings()))
