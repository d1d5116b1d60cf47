"""What an app is, told by its launcher without starting it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.real

WEB = """
from pathlib import Path
from roost import App

print("printed while it is imported")
app = App("shop")

class Shop:
    def load(self):
        print("printed while it is loaded")
        app.on_close(lambda: print("cleaned up"))
    def config_did_load(self):
        Path("started").touch()
    def did_load(self):
        Path("started").touch()
    def did_ready(self):
        Path("started").touch()

app.add(Shop())

async def serve(scope, receive, send):
    Path("started").touch()

app.web(serve, port=4321)
"""

WORKER = """
from pathlib import Path
from roost import App

app = App("counter")

@app.worker
async def count():
    Path("started").touch()
"""

BROKEN_COMPONENT = """
from roost import App

app = App("a")

class Heavy:
    def load(self):
        raise OSError("no data")

app.add(Heavy())
"""

EAGER_COMPONENT = """
from contextlib import nullcontext
from roost import App

app = App("a")

class Eager:
    async def load(self):
        await app.open_client(nullcontext())

app.add(Eager())
"""


def describe(directory: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """Return the answer and what was said beside it; the answer is all that is on stdout."""
    cwd = directory.parent / f"{directory.name}-cwd"
    cwd.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "roost.app", *arguments, "--describe", "--directory"]
    done = subprocess.run(
        [*command, str(directory)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert (done.returncode == 0) == ("error" not in answer)
    assert not list(cwd.iterdir()), "the app was started"
    assert isinstance(answer, dict)
    return answer, done.stderr


def written(directory: Path, code: str, name: str = "app.py") -> Path:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(code)
    return directory


def test_a_web_app_tells_its_kind_and_its_own_port_and_prints_beside_the_answer(
    tmp_path: Path,
) -> None:
    answer, said = describe(written(tmp_path / "app", WEB))
    assert answer == {"name": "shop", "kind": "web", "port": 4321}
    printed = ["printed while it is imported", "printed while it is loaded", "cleaned up"]
    assert [line for line in said.splitlines() if line in printed] == printed


def test_a_worker_is_a_command(tmp_path: Path) -> None:
    answer, _ = describe(written(tmp_path / "app", WORKER))
    assert answer == {"name": "counter", "kind": "command", "port": None}


def test_the_entry_is_the_one_of_a_start(tmp_path: Path) -> None:
    directory = written(tmp_path / "app", WEB)
    written(directory, WORKER, "other.py")
    assert describe(directory, "other.py:app")[0]["name"] == "counter"
    (directory / "roost.toml").write_text('entry = "other:app"\n')
    assert describe(directory)[0]["name"] == "counter"
    assert describe(directory, "app.py")[0]["name"] == "shop"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import no_such_module\n", ("app.py", "no_such_module")),
        ("raise RuntimeError('not today')\n", ("app.py", "RuntimeError: not today")),
        ("import sys\nsys.exit(3)\n", ("app.py", "SystemExit: 3")),
        ("x = 1\n", ("app.py",)),
        (BROKEN_COMPONENT, ("Heavy", "load", "no data")),
        (EAGER_COMPONENT, ("Eager", "did_load")),
    ],
    ids=["import", "raises", "exits", "no-app", "load", "client"],
)
def test_what_is_wrong_with_an_app_is_one_sentence_that_names_the_place(
    tmp_path: Path, code: str, words: tuple[str, ...]
) -> None:
    answer, said = describe(written(tmp_path / "app", code))
    message = answer["error"]["message"]
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert said.rstrip().endswith(message)


def test_a_directory_without_an_app_says_what_was_looked_for(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    answer, _ = describe(empty)
    assert answer["error"]["code"] == "entry_not_found"
    assert "app.py" in answer["error"]["message"]


def test_an_app_that_runs_itself_unguarded_is_refused_and_does_not_start(tmp_path: Path) -> None:
    answer, _ = describe(written(tmp_path / "app", WORKER + "\napp.run()\n"))
    assert "error" in answer
