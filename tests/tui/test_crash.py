"""What a fatal error leaves behind."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tests.support.fake_engine import FIXED_START, FakeEngine
from tests.support.screen import open_screen

from roost_tui import crash


def _fail(secret: str) -> None:
    raise ValueError(f"cannot use {secret}")


def _raised() -> ValueError:
    try:
        _fail("hunter2-hunter2")
    except ValueError as error:
        return error
    raise AssertionError


def test_a_report_names_places_and_holds_no_values(tmp_path: Path) -> None:
    path = crash.write_report(_raised(), tmp_path / "crashes", FIXED_START)
    text = path.read_text()
    assert "ValueError" in text
    assert "in _fail" in text
    assert "hunter2" not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_fatal_error_is_one_sentence_and_a_private_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="hunter2"):
        async with open_screen(FakeEngine(), crash_dir=tmp_path) as (app, pilot):
            app.call_later(_fail, "hunter2-hunter2")
            await pilot.pause()
            await pilot.pause()
    printed = "".join(capsys.readouterr())
    (report,) = tmp_path.iterdir()
    assert "internal error (ValueError)" in printed.replace("\n", " ")
    assert "Traceback" not in printed
    assert "hunter2" not in printed + report.read_text()
    assert app.return_code == 1
