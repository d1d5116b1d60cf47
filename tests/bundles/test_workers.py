"""Workers as bundles: their command, and what is wrong with the rest."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.bundle_files import which

from roost.bundles import InstalledBundle, check_strategy, plan_bundle, read_bundle
from roost.bundles.workers import worker_directory
from roost.errors import BadInput, CommandNotFound
from roost.models import (
    BundleKind,
    BundleSettings,
    InstallRequest,
    LaunchContext,
    RespawnStrategy,
    Runtime,
    SourceKind,
)


def worker(directory: Path | str, module: str = "shop.jobs", **changes: Any) -> InstallRequest:
    return InstallRequest(SourceKind.WORKER, path=str(directory), entry=module, **changes)


def install(request: InstallRequest) -> InstalledBundle:
    return read_bundle(
        request,
        workspace="team",
        bundles_dir=Path("/nowhere"),
        python="/opt/python",
        which=which,
    )


def test_a_module_becomes_a_worker_that_runs_it_in_its_directory(tmp_path: Path) -> None:
    settings = BundleSettings(stop_grace_s=20)
    found = install(worker(tmp_path, env={"API_KEY": "k-12345678"}, settings=settings))
    definition = found.definition
    assert (found.name, definition.kind) == ("shop-jobs", BundleKind.WORKER)
    assert definition.runtime is Runtime.PYTHON and definition.settings == settings
    assert (definition.command, *definition.args) == (
        *("/opt/python", "-m", "roost.worker", "shop.jobs"),
        *("--directory", str(tmp_path)),
    )
    assert definition.source.kind is SourceKind.WORKER
    assert definition.source.origin == f"{tmp_path}#shop.jobs"
    assert definition.env == {"API_KEY": "${user_config.API_KEY}"}
    assert found.values == {"API_KEY": "k-12345678"}
    assert worker_directory(definition) == str(tmp_path)


def test_a_worker_may_have_a_name_and_an_interpreter_of_its_own(tmp_path: Path) -> None:
    found = install(worker(tmp_path, "jobs", name="mine", python="python3"))
    assert (found.name, found.definition.command) == ("mine", sys.executable)
    with pytest.raises(CommandNotFound):
        install(worker(tmp_path, python="/no/such/python"))


@pytest.mark.parametrize(
    "module", ["", "jobs.py", "jobs.py:main", "a..b", "../jobs", "a b", "-c", ".jobs"]
)
def test_what_python_cannot_import_is_no_module(tmp_path: Path, module: str) -> None:
    with pytest.raises(BadInput, match="is no name of a module; give it as Python imports it"):
        install(worker(tmp_path, module))


@pytest.mark.parametrize("path", ["", "relative", "/no/such/directory", "/tmp\0/x"])
def test_a_directory_that_is_not_there_is_refused(path: str) -> None:
    with pytest.raises(BadInput):
        install(worker(path))


def test_a_directory_that_stands_for_a_value_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "${HOME}"
    directory.mkdir()
    with pytest.raises(BadInput, match="rename the directory"):
        install(worker(directory))


@pytest.mark.parametrize("changes", [{"port": 80}, {"ready_path": "/"}])
def test_a_worker_serves_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="for web bundles only"):
        install(worker(tmp_path, **changes))


def test_a_command_may_be_a_worker_too(tmp_path: Path) -> None:
    argv = ("python3", "-m", "roost.worker", "jobs", "--directory", str(tmp_path))
    request = InstallRequest(SourceKind.COMMAND, command=argv, kind=BundleKind.WORKER)
    definition = install(request).definition
    assert definition.kind is BundleKind.WORKER
    assert worker_directory(definition) is None


def test_an_interpreter_is_for_python_code_only() -> None:
    request = InstallRequest(SourceKind.COMMAND, command=("true",), python="python3")
    with pytest.raises(BadInput, match="for apps and workers only"):
        install(request)


def test_a_worker_is_not_handed_over(tmp_path: Path) -> None:
    settings = BundleSettings(strategy=RespawnStrategy.HANDOVER)
    found = install(worker(tmp_path, settings=settings))
    with pytest.raises(BadInput, match="a worker gives its runs back when it is stopped"):
        check_strategy(found.name, found.definition)


def test_a_plan_says_that_its_module_is_loaded_later(tmp_path: Path) -> None:
    def context(name: str) -> LaunchContext:
        return LaunchContext(home="/home/me", state_dir=f"/state/{name}", base_env={})

    plan = plan_bundle(
        worker(tmp_path, "jobs"),
        workspace="team",
        bundles_dir=tmp_path / "bundles",
        context=context,
        python="/opt/python",
        which=which,
    )
    assert plan.argv[:4] == ("/opt/python", "-m", "roost.worker", "jobs")
    assert [note.code for note in plan.notes] == ["not_loaded"]
    assert "tells its tasks then" in plan.notes[0].sentence
