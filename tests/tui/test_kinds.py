"""How the kind of a bundle is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.fake_engine import bundle_view

from roost.models import BundleKind, Runtime
from roost_tui import render


@pytest.mark.parametrize(
    ("kind", "runtime", "text"),
    [
        (BundleKind.WORKER, Runtime.PYTHON, "worker py"),
        (BundleKind.WORKER, Runtime.UV, "worker uv"),
        (BundleKind.COMMAND, Runtime.BINARY, "command bin"),
    ],
)
def test_a_kind_is_told_with_its_runtime(kind: BundleKind, runtime: Runtime, text: str) -> None:
    assert render.kind_text(replace(bundle_view("app"), kind=kind, runtime=runtime)) == text
