"""The demo: its tour on real servers, and its screen in a terminal."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.support.real_packages import CACHE, uv_folder
from tests.support.socket_dir import socket_dir
from tests.support.tmux import needs_tmux, terminal

from roost.demo.cli import _open as open_demo

ROOST = str(Path(sys.executable).with_name("roost"))

NOTHING_IS_INSTALLED = {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1", "UV_NO_CACHE": "1"}
"""For a demo that is looked at before its servers can be prepared."""

NO_INDEX = re.compile("No matching distribution|Could not find a version|dns error|Connection")


def skip_without_index(output: str) -> None:
    """Skip when the servers cannot be had here; CI has an index, so there it must run."""
    if "could not install mcp-server" in output and NO_INDEX.search(output):
        if os.environ.get("CI"):
            pytest.fail(f"the package index is not reached in CI:\n{output}")
        pytest.skip("no package index is reached, and the real servers come from it")


def path_with_uv() -> str:
    """Return the PATH with uv first, which prepares a server in a fraction of pip's time."""
    return os.pathsep.join(filter(None, (uv_folder(), os.environ["PATH"])))


@pytest.mark.timeout(600)
def test_the_tour_passes_on_real_servers_and_leaves_nothing() -> None:
    with socket_dir() as temporary:
        changes = {
            "TMPDIR": temporary,
            "PATH": path_with_uv(),
            "XDG_CACHE_HOME": str(CACHE / "xdg"),
        }
        done = subprocess.run(
            [ROOST, "demo", "--tour"],
            env=os.environ | changes,
            capture_output=True,
            text=True,
            timeout=590,
            check=False,
        )
        skip_without_index(done.stdout + done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"^ok +\d+ steps in", done.stdout, re.MULTILINE)
        assert len(re.findall(r"^ok +\d+\.\d+ s ", done.stdout, re.MULTILINE)) >= 15
        assert list(Path(temporary).glob("roost-tour-*")) == []


@needs_tmux
def test_the_demo_opens_goes_on_when_left_and_is_deleted_when_stopped() -> None:
    base = Path(tempfile.mkdtemp(prefix="roost-", dir="/tmp"))
    demo_dir = base / "demo"
    try:
        with terminal() as screen:
            env = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PATH": path_with_uv()}
            env |= NOTHING_IS_INSTALLED
            screen.run(ROOST, "demo", "--demo-dir", str(demo_dir), size=(120, 36), env=env)
            screen.until("beacon", "flaky", "time", "git", "needs credentials")
            screen.press("q")
            assert screen.wait_ended() == 0
        listed = subprocess.run(
            [ROOST, "--data-dir", str(demo_dir), "ps"],
            capture_output=True,
            text=True,
            timeout=90,
            check=True,
        )
        assert "beacon" in listed.stdout
        stopped = subprocess.run(
            [ROOST, "demo", "--stop", "--demo-dir", str(demo_dir)],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert stopped.returncode == 0, stopped.stdout + stopped.stderr
        assert not demo_dir.exists()
    finally:
        shutil.rmtree(base, ignore_errors=True)


def never_opened(data_dir: str, workspace: str | None) -> int:
    raise AssertionError("the screen was opened")


def test_a_directory_that_is_not_the_demos_is_never_deleted(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    done = subprocess.run(
        [ROOST, "demo", "--stop", "--demo-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 2
    assert (tmp_path / "precious").read_text() == "mine"
    assert open_demo(tmp_path, never_opened) == 2
    assert os.listdir(tmp_path) == ["precious"]
