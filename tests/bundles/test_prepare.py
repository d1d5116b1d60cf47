"""A prepared environment works from the place it was moved to."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roost.bundles import plan_prepare
from roost.bundles.installers import Installers
from roost.bundles.project_copy import copy_project
from roost.bundles.relocate import relocate
from roost.errors import CommandNotFound, Refused
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
        "installers": Installers("/opt/python"),
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
    found = plan(tmp_path, installers=Installers("/opt/python", uv))
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
            plan(tmp_path, installers=Installers("/opt/other")),
        )
        if found
    }
    assert len(places) == 3


def test_another_python_is_looked_up_or_left_to_uv(tmp_path: Path) -> None:
    other = changed(python="3.99")
    with pytest.raises(CommandNotFound, match=r"python3\.99"):
        plan(tmp_path, other)
    found = plan(tmp_path, other, installers=Installers("/opt/python", "/opt/uv"))
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


NODE = changed(
    runtime=Runtime.NODE,
    command="/usr/bin/node",
    source=Source(SourceKind.NPM, "@a/b@1.0.0"),
    requirements=("@a/b@1.0.0",),
)


def test_a_package_of_npm_is_installed_into_the_place_and_writes_nowhere_else(
    tmp_path: Path,
) -> None:
    found = plan(tmp_path, NODE, installers=Installers("/opt/python", npm="/opt/npm"))
    assert found is not None
    (install,) = found.steps
    assert install.argv[:2] == ("/opt/npm", "install")
    assert install.argv[-4:] == ("--prefix", found.partial_dir, "--", "@a/b@1.0.0")
    wanted = {"--no-audit", "--no-fund", "--no-progress", "--omit=dev", "--no-package-lock"}
    assert wanted <= set(install.argv)


def test_the_installer_of_npm_sees_its_own_configuration_and_no_secret(tmp_path: Path) -> None:
    environ = {"PATH": "/bin", "npm_config_cafile": "/ca", "HTTPS_PROXY": "p", "TOKEN": "x"}
    tools = Installers("/opt/python", npm="/opt/npm")
    found = plan(tmp_path, NODE, installers=tools, environ=environ)
    assert found is not None
    env = found.steps[0].env
    assert (env["npm_config_cafile"], env["HTTPS_PROXY"]) == ("/ca", "p")
    assert "TOKEN" not in env


def test_without_npm_a_package_of_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandNotFound, match="'npm'"):
        plan(tmp_path, NODE)


def test_another_node_gets_another_place(tmp_path: Path) -> None:
    tools = Installers("/opt/python", npm="/opt/npm")
    other = replace(NODE, command="/opt/node-22/bin/node")
    places = [plan(tmp_path, each, installers=tools) for each in (NODE, other, NODE)]
    assert all(places)
    first, second, third = [found.prepared_dir for found in places if found]
    assert first == third != second


def project(folder: Path, text: str) -> Definition:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(text)
    return changed(requirements=(), is_project=True, root=str(folder), runtime=Runtime.UV)


PLAIN = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10,<3.99"\n'
BUILT = PLAIN + '[build-system]\nrequires = ["hatchling"]\n'


def test_uv_installs_a_copy_of_a_project(tmp_path: Path) -> None:
    definition = project(tmp_path / "x", PLAIN)
    tools = Installers("/opt/python", uv="/opt/uv")
    found = plan(tmp_path, replace(definition, requirements=("mcp<2",)), installers=tools)
    assert found is not None
    make, copy, sync, extra, _ = found.steps
    assert make.argv[-3:] == ("--directory", str(definition.root), found.partial_dir)
    assert copy.argv[-2:] == (str(definition.root), f"{found.partial_dir}/project")
    assert sync.argv[-2:] == ("--directory", f"{found.partial_dir}/project")
    assert sync.env["UV_PROJECT_ENVIRONMENT"] == found.partial_dir
    assert extra.argv[-1] == "mcp<2"


def test_without_uv_pip_installs_a_project_that_is_a_package_from_its_copy(tmp_path: Path) -> None:
    found = plan(tmp_path, project(tmp_path / "x", BUILT))
    assert found is not None
    assert found.steps[2].argv[-2:] == ("--", f"{found.partial_dir}/project")


def test_without_uv_pip_installs_what_a_plain_project_depends_on(tmp_path: Path) -> None:
    found = plan(tmp_path, project(tmp_path / "x", PLAIN + 'dependencies = ["mcp", "-e x"]\n'))
    assert found is not None
    assert found.steps[1].argv[-2:] == ("--", "mcp")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (PLAIN + '[tool.uv.sources]\na = {path = "a"}\n', "tool.uv.sources"),
        (PLAIN.replace(">=3.10", ">=3.98"), "it wants Python >=3.98,<3.99"),
        ("not toml [", "no project table"),
        ("[tool.x]\n", "no project table"),
    ],
)
def test_a_project_that_only_uv_can_install_is_refused_without_it(
    tmp_path: Path, text: str, why: str
) -> None:
    with pytest.raises(Refused, match=why):
        plan(tmp_path, project(tmp_path / "x", text))


def test_a_copy_of_a_project_is_writable_and_leaves_environments_out(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    for name in ("src/a.py", ".venv/bin/python", "src/__pycache__/a.pyc", "uv.lock"):
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        (origin / name).write_text(name)
    (origin / "src" / "a.py").chmod(0o444)
    (origin / "src").chmod(0o555)
    try:
        assert copy_project(str(origin), str(tmp_path / "copy")) == 2
    finally:
        (origin / "src").chmod(0o755)
    (tmp_path / "copy" / "src" / "b.py").write_text("")
    assert (tmp_path / "copy" / "src" / "a.py").stat().st_mode & 0o200
    assert not (tmp_path / "copy" / ".venv").exists()
