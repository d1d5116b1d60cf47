"""The page about writing an app: it names all there is, and its example works."""

import re
from pathlib import Path

import pytest
from tests.app.running import when_serving

from roost import load_for_snapshot
from roost.app.app import STEPS
from roost.lifecycle.entry import BUILT_IN, OWN_FILE, PROJECT_FILE

PAGE = (Path(__file__).parents[2] / "docs" / "apps.md").read_text()


def test_every_phase_every_file_and_every_status_is_explained() -> None:
    assert not [step for step in STEPS if f"| `{step}` |" not in PAGE]
    assert not [name for name in (*BUILT_IN, OWN_FILE, PROJECT_FILE) if name not in PAGE]
    assert all(f"| {status} | " in PAGE for status in (0, 1, 2, 70))


@pytest.mark.usefixtures("clean_imports")
def test_the_example_of_the_page_loads_restores_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example, *_) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "lab_example.py").write_text(example)
    app = load_for_snapshot("lab_example.py", tmp_path)
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("GREETING", "Good morning")
    assert when_serving(app).restore() == 0
    assert capsys.readouterr().out == "Good morning, world!\n"
