"""What it costs to import the SDK: the standard library, and of Roost only what apps need."""

import subprocess
import sys

import pytest

import roost

ENGINE = ("engine", "api", "store", "bundles", "supervision", "runs", "client", "cli", "settings")


def loaded_by(code: str) -> set[str]:
    """Return the modules that some code loads in a fresh interpreter."""
    script = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_the_package_itself_loads_nothing_of_the_sdk() -> None:
    assert {name for name in loaded_by("import roost") if name.startswith("roost")} == {"roost"}


@pytest.mark.parametrize(
    "code",
    [
        "from roost import App, load_for_snapshot, restore\nApp('lab').worker(App._load)",
        "import roost.app.launch, roost.lifecycle.modules",
    ],
)
def test_an_app_loads_the_standard_library_only(code: str) -> None:
    loaded = loaded_by(code)
    tops = {name.partition(".")[0] for name in loaded} - {"roost"}
    assert tops <= set(sys.stdlib_module_names)
    assert not [name for name in ENGINE if f"roost.{name}" in loaded]
    assert "roost.models" not in loaded


def test_the_server_is_loaded_with_a_web_app_and_not_with_others() -> None:
    make = "from roost import App\napp = App('lab')\n{web}app.load_for_snapshot()"
    assert "uvicorn" not in loaded_by(make.format(web=""))
    assert "uvicorn" in loaded_by(make.format(web="app.web(print)\n"))


def test_a_name_that_the_package_does_not_have_is_refused_as_usual() -> None:
    with pytest.raises(AttributeError, match="module 'roost' has no attribute 'Apq'"):
        roost.Apq  # type: ignore[attr-defined] # noqa: B018
    assert all(getattr(roost, name) for name in roost.__all__)
