"""What a process holds before, while and after an app is loaded, restored, closed and copied."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.app.children import by_hand, child

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc"),
]

APP = """
import asyncio, gc, glob, json, os, signal, sys, threading, time
import roost
from roost import App, load_for_snapshot

app = App("lab")

@app.worker
async def work():
    await app.stopping.wait()

@app.hook("load")
async def read_everything():
    asyncio.get_running_loop().call_later(1000, print)
    await asyncio.to_thread(sum, range(1000))

async def hello(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("HTTP only")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})

app.web(hello)

@app.hook("did_load")
async def open_files():
    app.file = await app.open_client(open(os.devnull))

async def ask():
    host, port = app.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return b"hello" in answer

def inventory():
    gc.collect()
    give_up = time.monotonic() + 30
    # A joined thread is gone for the interpreter a little before it is for the kernel.
    while len(os.listdir("/proc/self/task")) > threading.active_count():
        if time.monotonic() > give_up:
            break
        time.sleep(0.01)
    listing = os.open("/proc/self/fd", os.O_RDONLY)
    try:
        names = [name for name in os.listdir(listing) if int(name) != listing]
        descriptors = {}
        for name in names:
            try:
                descriptors[name] = os.readlink(f"/proc/self/fd/{name}")
            except FileNotFoundError:
                pass
    finally:
        os.close(listing)
    children = ""
    for path in glob.glob("/proc/self/task/*/children"):
        with open(path) as file:
            children += file.read()
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "tasks of the kernel": len(os.listdir("/proc/self/task")),
        "descriptors": descriptors,
        "children": children,
        "timers": [signal.getitimer(which) for which in (0, 1, 2)],
        "signals": {number: repr(signal.getsignal(number)) for number in range(1, 32)},
        "hooks": [repr(sys.excepthook), repr(threading.excepthook)],
        "loop": repr(getattr(asyncio.events._event_loop_policy._local, "_loop", None))
        if asyncio.events._event_loop_policy else "None",
    }

def tell(what, found):
    # In one piece: copies of the process write to the same pipe.
    os.write(1, (json.dumps([what, found]) + "\\n").encode())

FRESH = dict(os.environ, PORT="0", WATCHDOG_USEC="20000000", NOTIFY_SOCKET="/nowhere/notify")
os.environ.update(WATCHDOG_USEC="20000000", NOTIFY_SOCKET="/nowhere/notify", PORT="1")
"""

CYCLES = """
@app.hook("server_did_ready")
async def look():
    tell("answered", await ask())
    tell("up", inventory())
    app.stop()

tell("before", inventory())
for _ in range(3):
    app.load_for_snapshot()
    tell("loaded", inventory())
    app.freeze()
    tell("frozen", inventory())
    tell("status", app.restore(FRESH))
    tell("closed", inventory())
"""

BUILD_ONLY = """
opened = []

@app.hook("load")
def map_file():
    opened.append(os.open(os.devnull, os.O_RDONLY))
    app.on_close(lambda: os.close(opened.pop()))

tell("before", inventory())
app.load_for_snapshot()
tell("loaded", inventory())
app.close()
tell("closed", inventory())
app.load_for_snapshot()
app.freeze()
app.close()
tell("closed", inventory())
"""

COPIES = """
@app.hook("server_did_ready")
async def look():
    tell(os.environ["WHO"], await ask())
    app.stop()

app.load_for_snapshot()
app.freeze()
tell("frozen", inventory())
pids = []
for who in ("first", "second"):
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            status = app.restore(dict(FRESH, WHO=who))
        finally:
            os._exit(status)
    pids.append(pid)
for pid in pids:
    tell("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
tell("frozen", inventory())
tell("status", app.restore(dict(FRESH, WHO="template")))
"""


def facts(script: str, directory: Path) -> list[tuple[str, Any]]:
    """Run a script to its end, and return what it told, in order."""
    (directory / "lab.py").write_text(APP + script)
    with child(by_hand("lab.py"), directory) as app:
        lines = app.rest()
        assert app.status() == 0, app.stderr()
        assert "Traceback" not in app.stderr(), app.stderr()
        return [tuple(json.loads(line)) for line in lines]


def of(told: list[tuple[str, Any]], what: str) -> list[Any]:
    return [found for name, found in told if name == what]


def test_a_loaded_app_has_nothing_running_and_a_closed_one_nothing_open(tmp_path: Path) -> None:
    told = facts(CYCLES, tmp_path)
    (before,) = of(told, "before")
    assert before["threads"] == ["MainThread"]
    for what in ("loaded", "frozen", "closed"):
        assert of(told, what) == [before] * 3, what
    assert of(told, "status") == [0] * 3 and of(told, "answered") == [True] * 3
    for up in of(told, "up"):
        assert len(up["descriptors"]) > len(before["descriptors"])
        assert up["hooks"] != before["hooks"] and up["signals"] != before["signals"]


def test_a_close_right_after_the_build_gives_back_what_the_load_opened(tmp_path: Path) -> None:
    told = facts(BUILD_ONLY, tmp_path)
    (before,) = of(told, "before")
    (loaded,) = of(told, "loaded")
    assert len(loaded["descriptors"]) == len(before["descriptors"]) + 1
    assert of(told, "closed") == [before] * 2


def test_copies_of_a_frozen_app_start_each_on_its_own_and_leave_the_template_as_it_was(
    tmp_path: Path,
) -> None:
    told = facts(COPIES, tmp_path)
    first, second = of(told, "frozen")
    assert first == second
    assert of(told, "child") == [0, 0] and of(told, "status") == [0]
    for who in ("first", "second", "template"):
        assert of(told, who) == [True]
