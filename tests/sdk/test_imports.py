"""What the SDK costs to import, and that the package hands its names out."""

import subprocess
import sys

import roost


def loaded_by(code: str) -> set[str]:
    script = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_the_sdk_loads_the_standard_library_only() -> None:
    loaded = loaded_by("from roost import begin_run, begin_run_async\nbegin_run('x')")
    tops = {name.partition(".")[0] for name in loaded} - {"roost"}
    assert tops <= set(sys.stdlib_module_names)
    ours = {name.split(".")[1] for name in loaded if name.startswith("roost.")}
    assert ours == {"sdk", "errors", "settings"}


def test_every_name_of_the_sdk_comes_from_the_package() -> None:
    from roost import sdk

    assert set(sdk.__all__) <= set(roost.__all__)
    assert all(getattr(roost, name) is getattr(sdk, name) for name in sdk.__all__)


def test_the_tasks_load_the_standard_library_only() -> None:
    loaded = loaded_by("from roost import TaskContext, submit, task\ntask('x')(print)")
    tops = {name.partition(".")[0] for name in loaded} - {"roost"}
    assert tops <= set(sys.stdlib_module_names)
    ours = {name.split(".")[1] for name in loaded if name.startswith("roost.")}
    assert ours == {"worker", "sdk", "errors", "event_names", "settings"}


def test_every_name_of_the_tasks_comes_from_the_package() -> None:
    from roost import worker

    assert set(worker.__all__) <= set(roost.__all__)
    assert all(getattr(roost, name) is getattr(worker, name) for name in worker.__all__)
