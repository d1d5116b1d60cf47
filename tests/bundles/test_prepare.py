"""A prepared environment works from the place it was moved to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from roost.bundles import plan_prepare
from roost.bundles.relocate import relocate
from roost.errors import CommandNotFound
from roost.models import (
    BundleKind,
    Definition,
    PreparePlan,
    Runtime,
    Source,
    SourceKind,
)

BASE = Definition(
    kind=BundleKind.MCP_STDIO,
    runtime=Runtime.PYTHON,
    title="Time",
    version="1",
    command="${prepared}/bin/time",
    source=Source(SourceKind.PYPI, "time==1"),
    requirements=("time==1",),
)


def plan(root: Path, definition: Definition = BASE, **changes: Any) -> PreparePlan | None:
    given: dict[str, Any] = {
        "python": "/opt/python",
        "uv": None,
        "environ": {"PATH": "/usr/bin:/bin", "SECRET": "x", "PIP_INDEX_URL": "u"},
    }
    return plan_prepare(definition, prepared_root=root, **(given | changes))


def changed(**changes: Any) -> Definition:
    kept = {name: getattr(BASE, name) for name in Definition.__slots__}
    return Definition(**(kept | changes))


def test_nothing_is_planned_without_requirements(tmp_path: Path) -> None:
    assert plan(tmp_path, changed(requirements=())) is None


@pytest.mark.parametrize("uv", [None, "/opt/uv"])
def test_the_steps_build_beside_the_final_place(tmp_path: Path, uv: str | None) -> None:
    found = plan(tmp_path, uv=uv)
    assert found is not None
    make, install, move = found.steps
    assert make.argv[0] == (uv or "/opt/python")
    assert make.argv[-1] == found.partial_dir
    assert install.argv[-2:] == ("--", "time==1")
    assert install.title == "install time==1"
    assert move.argv[-2:] == (found.partial_dir, found.prepared_dir)
    assert len(found.partial_dir) > len(found.prepared_dir)
    for step in found.steps:
        assert "SECRET" not in step.env
        assert step.env["PIP_INDEX_URL"] == "u"


def test_the_place_follows_from_the_needs(tmp_path: Path) -> None:
    places = {
        found.prepared_dir
        for found in (
            plan(tmp_path),
            plan(tmp_path, changed(title="Other")),
            plan(tmp_path, changed(requirements=("time==2",))),
            plan(tmp_path, python="/opt/other"),
        )
        if found
    }
    assert len(places) == 3


def test_another_python_is_looked_up_or_left_to_uv(tmp_path: Path) -> None:
    other = changed(python="3.99")
    with pytest.raises(CommandNotFound, match=r"python3\.99"):
        plan(tmp_path, other)
    found = plan(tmp_path, other, uv="/opt/uv")
    assert found is not None
    assert "3.99" in found.steps[0].argv


def test_scripts_start_with_the_interpreter_of_the_place_they_were_moved_to(tmp_path: Path) -> None:
    partial, final = tmp_path / "env.partial", tmp_path / "env"
    subprocess.run(
        [sys.executable, "-I", "-m", "venv", "--without-pip", str(partial)], check=True, timeout=60
    )
    script = partial / "bin" / "where"
    script.write_text(f"#!{partial}/bin/python\nimport sys\nprint(sys.prefix)\n")
    script.chmod(0o755)
    (partial / "bin" / "image").write_bytes(b"\x7fELF\0" + os.fsencode(partial))
    image = (partial / "bin" / "image").read_bytes()
    cached = tmp_path / "cached"
    os.link(script, cached)
    assert relocate(str(partial), str(final)) > 0
    os.rename(partial, final)
    ran = subprocess.run(
        [str(final / "bin" / "where")], check=True, timeout=60, capture_output=True, text=True
    )
    assert ran.stdout.strip() == str(final)
    assert (final / "bin" / "image").read_bytes() == image
    assert str(partial) in cached.read_text()
    assert (final / "bin" / "where").stat().st_mode & 0o777 == 0o755
