"""The checks of what lies on the disk: definition, environment, directories, configured paths."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.ordered_check import PROGRAM, CheckedWorld, first_failing, step_of

from roost.bundles.installers import Installers
from roost.models import (
    BundleKind,
    BundleRow,
    ConfigField,
    Definition,
    FieldType,
    LogStream,
    Reason,
    Runtime,
    SlotState,
    Source,
    SourceKind,
    StartStep,
    WhyCheck,
    WhyStatus,
)
from roost.supervision import BundleSlot

SHA = "5f2c" * 16


@pytest.fixture
def world(tmp_path: Path) -> CheckedWorld:
    return CheckedWorld(tmp_path)


async def _slot(world: CheckedWorld, **changes: Any) -> BundleSlot:
    definition = Definition(
        kind=BundleKind.MCP_STDIO,
        runtime=Runtime.PYTHON,
        title="app",
        version="1.0",
        command=PROGRAM,
        source=Source(SourceKind.COMMAND, PROGRAM),
    )
    row = BundleRow("w", "app", replace(definition, **changes), False, 0)
    return await world.supervisor.load(row)


def _field(key: str, kind: FieldType, **changes: Any) -> ConfigField:
    return ConfigField(key, kind, key, **changes)


async def test_a_bundle_whose_files_are_gone_is_installed_again(
    world: CheckedWorld, tmp_path: Path
) -> None:
    root = tmp_path / "bundles" / f"1.0-{SHA[:12]}-aa"
    source = Source(SourceKind.MCPB, "/srv/app.mcpb", SHA)
    slot = await _slot(world, root=str(root), source=source)
    report = await world.why(slot)
    step = step_of(report, WhyCheck.DEFINITION)
    assert first_failing(report) is WhyCheck.DEFINITION
    assert str(root) in step.said and "`roost remove w/app`, then `roost add`" in step.way_out
    root.mkdir(parents=True)
    assert step_of(await world.why(slot), WhyCheck.DEFINITION).status is WhyStatus.PASSED


async def test_a_directory_of_another_archive_is_not_taken_for_the_bundle(
    world: CheckedWorld, tmp_path: Path
) -> None:
    root = tmp_path / "1.0-000000000000-aa"
    root.mkdir()
    source = Source(SourceKind.MCPB, "/srv/app.mcpb", SHA)
    report = await world.why(await _slot(world, root=str(root), source=source))
    step = step_of(report, WhyCheck.DEFINITION)
    assert "is not the one of the archive" in step.said and step.evidence == (f"sha256 {SHA}",)


async def test_a_script_that_was_moved_is_named(world: CheckedWorld, tmp_path: Path) -> None:
    script = tmp_path / "deep" / "server.py"
    slot = await _slot(world, args=("-S", str(script), "--verbose"))
    report = await world.why(slot)
    step = step_of(report, WhyCheck.DEFINITION)
    assert (first_failing(report), step.evidence) == (
        WhyCheck.DEFINITION,
        (f"{tmp_path} is there",),
    )
    script.parent.mkdir()
    script.touch()
    assert first_failing(await world.why(slot)) is WhyCheck.SPAWN


async def test_arguments_that_name_what_a_program_may_make_itself_are_left_alone(
    world: CheckedWorld, tmp_path: Path
) -> None:
    slot = await _slot(world, args=("--out", str(tmp_path / "not-yet.py")))
    slot_of_binary = replace(slot.definition, runtime=Runtime.BINARY, args=("/none/x.py",))
    slot.definition = slot_of_binary
    assert first_failing(await world.why(slot)) is WhyCheck.SPAWN


async def test_a_definition_that_would_show_a_secret_cannot_be_filled_in(
    world: CheckedWorld,
) -> None:
    token = _field("token", FieldType.STRING, sensitive=True)
    slot = await _slot(world, fields=(token,), args=("--token", "${user_config.token}"))
    report = await world.why(slot)
    assert first_failing(report) is WhyCheck.DEFINITION
    assert "would show token in its command line" in report.sentence


async def test_an_environment_that_was_never_made_is_no_fault(world: CheckedWorld) -> None:
    slot = await _slot(world, command="${prepared}/bin/server", requirements=("server==1",))
    report = await world.why(slot)
    assert step_of(report, WhyCheck.RUNTIME).said.startswith("its environment is made by")
    assert step_of(report, WhyCheck.INSTALL).said == "its environment is made by its next start"
    assert first_failing(report) is WhyCheck.SPAWN


async def test_an_interpreter_that_is_nowhere_fails_the_runtime(
    world: CheckedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = world.check._recipes
    monkeypatch.setattr(recipes, "installers", Installers(sys.executable))
    needs = {"requirements": ("server==1",), "python": "3.99"}
    report = await world.why(await _slot(world, command="${prepared}/bin/server", **needs))
    assert first_failing(report) is WhyCheck.RUNTIME
    assert "python3.99" in report.sentence


def _prepare(world: CheckedWorld, slot: BundleSlot) -> Path:
    plan = world.check._recipes.plan_prepare("w", "app", slot.definition)
    assert plan is not None
    folder = Path(plan.prepared_dir) / "bin"
    folder.mkdir(parents=True)
    return folder


async def test_an_environment_whose_python_is_gone_is_made_anew(world: CheckedWorld) -> None:
    slot = await _slot(world, command="${prepared}/bin/server", requirements=("server==1",))
    folder = _prepare(world, slot)
    (folder / "python").symlink_to("/opt/none/python3")
    step = step_of(await world.why(slot), WhyCheck.INSTALL)
    assert step.status is WhyStatus.FAILED and "/opt/none/python3" in step.said
    assert step.way_out.startswith(f"`rm -r {folder.parent}`")


async def test_a_console_script_that_the_package_does_not_have_is_named_with_those_it_has(
    world: CheckedWorld,
) -> None:
    slot = await _slot(world, command="${prepared}/bin/server", requirements=("server==1",))
    folder = _prepare(world, slot)
    for name in ("python", "serve"):
        (folder / name).symlink_to(PROGRAM)
    step = step_of(await world.why(slot), WhyCheck.INSTALL)
    assert "server==1 brings no console script 'server'" in step.said
    assert step.evidence == (f"{folder} holds python, serve",)
    (folder / "server").symlink_to(PROGRAM)
    assert step_of(await world.why(slot), WhyCheck.INSTALL).status is WhyStatus.PASSED


async def test_something_in_the_way_of_the_working_directory_is_named(world: CheckedWorld) -> None:
    slot = await _slot(world)
    place = world.data_dir / "state" / "w" / "app"
    place.parent.mkdir(parents=True)
    place.write_text("in the way")
    report = await world.why(slot)
    assert first_failing(report) is WhyCheck.INSTALL and str(place) in report.sentence
    place.unlink()
    assert first_failing(await world.why(slot)) is WhyCheck.SPAWN
    assert not place.exists()


@pytest.mark.parametrize("kind", [FieldType.DIRECTORY, FieldType.FILE])
async def test_a_configured_path_that_is_not_there_is_named_with_its_field(
    world: CheckedWorld, tmp_path: Path, kind: FieldType
) -> None:
    place = tmp_path / "notes"
    world.secrets.values = {"place": str(place)}
    slot = await _slot(world, fields=(_field("place", kind),))
    report = await world.why(slot)
    step = step_of(report, WhyCheck.CREDENTIALS)
    assert step.said == f"its field place names {place}, which does not exist"
    assert "--set place=PATH`" in step.way_out and step.action == "bundle.credentials"
    _make_the_other(place, kind)
    assert f"which is no {kind}" in step_of(await world.why(slot), WhyCheck.CREDENTIALS).said


def _make_the_other(place: Path, kind: FieldType) -> None:
    if kind is FieldType.DIRECTORY:
        place.touch()
    else:
        place.mkdir()


async def test_each_of_several_paths_counts_and_so_does_a_default(
    world: CheckedWorld, tmp_path: Path
) -> None:
    several = _field("roots", FieldType.DIRECTORY, multiple=True)
    by_default = _field("home", FieldType.DIRECTORY, default="${HOME}/none")
    world.secrets.values = {"roots": [str(tmp_path), "/none/a", "relative"]}
    step = step_of(
        await world.why(await _slot(world, fields=(several, by_default))), WhyCheck.CREDENTIALS
    )
    assert step.evidence == (
        "roots names /none/a, which does not exist",
        "home names /home/ops/none, which does not exist",
    )


async def test_a_sensitive_path_is_never_shown(world: CheckedWorld) -> None:
    world.secrets.values = {"key": "/none/secret-key"}
    world.secrets.secrets = ("/none/secret-key",)
    field = _field("key", FieldType.FILE, sensitive=True)
    report = await world.why(await _slot(world, fields=(field,)))
    assert "secret-key" not in repr(report)


async def test_a_failed_preparation_shows_what_the_installer_said(world: CheckedWorld) -> None:
    slot = await _slot(world, command="${prepared}/bin/server", requirements=("server==1",))
    log = world.logs.writer("w", "app", 1)
    log.note("prepare: install server==1")
    log.write(LogStream.STDERR, b"ERROR: No matching distribution found for server==1\n")
    log.close()
    _fail_preparation(slot)
    report = await world.why(slot)
    step = step_of(report, WhyCheck.INSTALL)
    assert first_failing(report) is WhyCheck.INSTALL
    assert step.evidence == ("ERROR: No matching distribution found for server==1",)
    assert "does not exist in the registry" in step.way_out
    assert "prepare: install" not in "\n".join(step.evidence)


def _fail_preparation(slot: BundleSlot) -> None:
    reason = Reason("prepare_failed", f"{slot.label} cannot start: could not install server==1")
    slot.move(SlotState.STARTING, cause="operator", actor="ops", step=StartStep.PREPARE)
    slot.move(SlotState.DEAD, cause="operator", actor="ops", step=StartStep.PREPARE, reason=reason)
