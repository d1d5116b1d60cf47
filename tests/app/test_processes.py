"""Apps as real processes: signals, exit statuses, and what is said on the way out."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.app.children import by_hand, by_roost, child
from tests.app.running import LIMIT_S, get, is_free, taken_port

pytestmark = pytest.mark.real

HEAD = """
import asyncio, threading, time
from roost import App
app = App("lab", stop_deadline_s={deadline})
"""

SHORT_GRACE = "app._parts._grace_s = 0.1\n"

TAIL = """
if __name__ == "__main__":
    raise SystemExit(app.run())
"""

WEB = """
@app.add
class Store:
    def did_load(self):
        print("store opens")
    def before_close(self):
        print("store closes")

@app.worker
async def work():
    await app.stopping.wait()
    print("worker ends")

async def hello(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("HTTP only")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})

app.web(hello)

@app.hook("server_did_ready")
def tell():
    print("url:", app.url)
"""

Launch = Callable[[str], list[str]]

LAUNCHERS = pytest.mark.parametrize("launch", [by_hand, by_roost])


def write(directory: Path, code: str, *, deadline: float = 10 * LIMIT_S) -> None:
    (directory / "lab.py").write_text(HEAD.format(deadline=deadline) + code + TAIL)


@LAUNCHERS
def test_an_app_does_the_same_by_hand_and_by_roost(launch: Launch, tmp_path: Path) -> None:
    write(tmp_path, WEB)
    with child(launch("lab.py"), tmp_path, PORT="0") as app:
        assert app.line("store") == "store opens"
        url = app.line("url:").removeprefix("url: ")
        assert get(url).endswith("hello\r\n0\r\n\r\n")
        app.process.send_signal(signal.SIGINT)
        app.process.send_signal(signal.SIGTERM)
        assert app.rest() == ["worker ends", "store closes"]
        assert app.status() == 0
        assert is_free(int(url.rpartition(":")[2]))
        assert "lab listens on http://127.0.0.1:" in app.stderr()
        assert "Traceback" not in app.stderr()


@LAUNCHERS
def test_signals_that_keep_coming_do_not_turn_the_exit_into_a_death(
    launch: Launch, tmp_path: Path
) -> None:
    """The time in which they count as one wish is stretched: the machine may be slow."""
    stretch = "import roost.lifecycle.signals as signals\nsignals.SAME_SIGNAL_S = 1000.0\n"
    write(tmp_path, stretch + WEB)
    with child(launch("lab.py"), tmp_path, PORT="0") as app:
        app.line("url:")
        give_up = time.monotonic() + LIMIT_S
        while app.process.poll() is None and time.monotonic() < give_up:
            app.process.send_signal(signal.SIGTERM)
            time.sleep(0.001)
        assert app.status() == 0
        assert app.rest() == ["worker ends", "store closes"]


@LAUNCHERS
@pytest.mark.parametrize("hook", ["config_will_load", "load", "did_load", "will_ready"])
def test_a_signal_during_the_start_is_an_orderly_end(
    launch: Launch, hook: str, tmp_path: Path
) -> None:
    write(
        tmp_path,
        f"@app.hook({hook!r})\n"
        "async def warm_up():\n"
        "    app.on_close(lambda: print('cleaned up'))\n"
        "    print('begun')\n"
        "    await asyncio.Event().wait()\n",
    )
    with child(launch("lab.py"), tmp_path) as app:
        app.line("begun")
        app.process.terminate()
        assert app.rest() == ["cleaned up"]
        assert app.status() == 0
        assert "Traceback" not in app.stderr()


@pytest.mark.parametrize(
    ("code", "named"),
    [
        pytest.param(
            "@app.add\n"
            "class Store:\n"
            "    def did_load(self): ...\n"
            "    async def before_close(self):\n"
            "        await asyncio.Event().wait()\n",
            "Store",
            id="a hook that never ends",
        ),
        pytest.param(
            "@app.hook('did_load')\n"
            "def open_store():\n"
            "    app.on_close(lambda: time.sleep(1000))\n",
            "open_store",
            id="a clean-up that holds the event loop",
        ),
        pytest.param(
            "@app.worker\n"
            "async def deaf():\n"
            "    while True:\n"
            "        try:\n"
            "            await asyncio.Event().wait()\n"
            "        except asyncio.CancelledError:\n"
            "            pass\n",
            "worker 'deaf'",
            id="a worker that does not listen",
        ),
        pytest.param(
            "@app.worker\nasync def reads():\n    await asyncio.to_thread(time.sleep, 1000)\n",
            "thread 'asyncio_0'",
            id="a thread that goes on",
        ),
        pytest.param(
            "async def deaf():\n"
            "    while True:\n"
            "        try:\n"
            "            await asyncio.Event().wait()\n"
            "        except asyncio.CancelledError:\n"
            "            pass\n"
            "@app.hook('did_ready')\n"
            "def start():\n"
            "    app.task = asyncio.get_running_loop().create_task(deaf(), name='stray')\n",
            "task 'stray'",
            id="a task that nobody owns",
        ),
    ],
)
def test_a_stop_that_does_not_end_is_ended_at_the_deadline_and_named(
    code: str, named: str, tmp_path: Path
) -> None:
    write(
        tmp_path,
        SHORT_GRACE + code + "@app.hook('server_did_ready')\ndef tell():\n    print('serves')\n",
        deadline=3.0,
    )
    with child(by_roost("lab.py"), tmp_path) as app:
        app.line("serves")
        app.process.terminate()
        assert app.status() == 70
        assert "shutdown deadline passed; still waiting for: " in app.stderr()
        assert named in app.stderr().partition("still waiting for: ")[2]


def test_a_start_that_fails_and_cannot_be_closed_ends_at_the_deadline_too(tmp_path: Path) -> None:
    write(
        tmp_path,
        "@app.add\n"
        "class Store:\n"
        "    def did_load(self): ...\n"
        "    async def before_close(self):\n"
        "        await asyncio.Event().wait()\n"
        "@app.hook('will_ready')\n"
        "def fail():\n"
        "    raise ValueError('boom')\n",
        deadline=0.5,
    )
    with child(by_hand("lab.py"), tmp_path) as app:
        assert app.status() == 70
        assert "the component 'fail' failed in will_ready: ValueError: boom" in app.stderr()
        assert "still waiting for: Store" in app.stderr()


@LAUNCHERS
def test_a_worker_that_raises_is_named_and_the_status_is_one(
    launch: Launch, tmp_path: Path
) -> None:
    write(
        tmp_path,
        "@app.worker\nasync def unlucky():\n    app.on_close(lambda: print('closed'))\n"
        "    raise ValueError('boom')\n",
    )
    with child(launch("lab.py"), tmp_path) as app:
        assert app.rest() == ["closed"]
        assert app.status() == 1
        last = app.stderr().strip().splitlines()[-1]
        assert last.startswith("the worker 'unlucky' of 'lab' failed: ValueError: boom.")


@LAUNCHERS
def test_a_port_that_cannot_be_had_is_one_sentence_and_a_status(
    launch: Launch, tmp_path: Path
) -> None:
    write(tmp_path, WEB)
    with child(launch("lab.py"), tmp_path, PORT="3000abc") as app:
        assert app.status() == 2
        assert "'3000abc' is not a port" in app.stderr() and "Traceback" not in app.stderr()
    with taken_port() as port, child(launch("lab.py"), tmp_path, PORT=str(port)) as app:
        assert app.status() == 1
        assert f"cannot listen on port {port} of 127.0.0.1" in app.stderr()
        assert "Traceback" not in app.stderr()


def test_the_launcher_finds_an_app_from_anywhere_and_says_where_it_found_none(
    tmp_path: Path,
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "lab_helper.py").write_text("NAME = 'helped'\n")
    (home / "shop.py").write_text(
        "from lab_helper import NAME\nfrom roost import App\nsite = App(NAME)\n"
        "@site.worker\nasync def job():\n    print('name:', NAME)\n"
    )
    (home / "roost.toml").write_text('entry = "shop:site"\n')
    command = [*by_roost("")[:-1], "--directory", str(home)]
    with child(command, elsewhere) as app:
        assert app.rest() == ["name: helped"] and app.status() == 0
    with child([*by_roost("")[:-1]], elsewhere) as app:
        assert app.status() == 2
        assert f"no app was found in {elsewhere}" in app.stderr()
        assert app.stderr().count("\n") == 1
