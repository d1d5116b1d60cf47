"""The tour's steps on the apps written with the SDK: a web app and a worker."""

from __future__ import annotations

import http.client
from contextlib import closing
from urllib.parse import urlsplit

from roost.demo.visitor import START_BOUND_S, Visitor, check, in_state, is_alive, wait_until

ANSWER_BOUND_S = 10.0
"""Bound for a page of a small app on a busy machine."""

TICKS = 2
"""How far the worker counts before its process is replaced."""


def check_web_app(visitor: Visitor, workspace: str, name: str) -> None:
    """Check that a web app answers as the process that is shown, and only while it runs."""
    before = visitor.until(workspace, name, in_state("running"), START_BOUND_S)
    check(_status(before["address"], "/healthz") == 200, "it is not healthy")
    first = _facts(before["address"])
    check(first["pid"] == str(before["generation"]["pid"]), f"pid {first['pid']} answered")
    check(first["workspace"] == workspace, f"it believes to be in {first['workspace']}")

    result = visitor.wire.send("POST", f"{visitor.path(workspace, name)}/respawn", b"{}")
    check(result["ok"], result["sentence"])
    after = visitor.bundle(workspace, name)
    second = _facts(after["address"])
    check(second["pid"] == str(after["generation"]["pid"]), f"pid {second['pid']} answered")
    check(second["pid"] != first["pid"], "the old process answered")
    check(not is_alive(int(first["pid"])), f"old pid {first['pid']} is alive")
    check(int(second["visits"]) == int(first["visits"]) + 1, "its guest book was lost")

    _check_stop(visitor, workspace, name, after["address"])


def check_worker(visitor: Visitor, workspace: str, name: str) -> None:
    """Check that a worker works, and that its next generation goes on where this one stopped."""
    visitor.until(workspace, name, in_state("running"), START_BOUND_S)
    wait_until(
        lambda: _count(visitor, workspace, name) >= TICKS, START_BOUND_S, "it does not count"
    )
    result = visitor.wire.send("POST", f"{visitor.path(workspace, name)}/respawn", b"{}")
    check(result["ok"], result["sentence"])
    wait_until(lambda: _count(visitor, workspace, name) > TICKS, START_BOUND_S, "it does not go on")
    begin = [line for line in visitor.log(workspace, name) if "goes on at" in line]
    check(len(begin) == 1 and int(begin[0].split()[-1]) >= TICKS, f"it began with {begin}")


def _check_stop(visitor: Visitor, workspace: str, name: str, address: str) -> None:
    path = visitor.path(workspace, name)
    stopped = visitor.wire.send("POST", f"{path}/stop", b"{}")
    check(stopped["ok"], stopped["sentence"])
    check(_status(address, "/healthz") is None, f"{address} still answers")
    check(visitor.bundle(workspace, name)["address"] is None, "an address is still shown")
    started = visitor.wire.send("POST", f"{path}/start", b"{}")
    check(started["ok"], started["sentence"])


def _count(visitor: Visitor, workspace: str, name: str) -> int:
    ticks = [line for line in visitor.log(workspace, name) if line.startswith("tick ")]
    return int(ticks[-1].split()[1]) if ticks else 0


def _facts(address: str) -> dict[str, str]:
    """Return the rows of the greeter's page below its greeting."""
    status, page = _get(address, "/")
    check(status == 200, f"{address} answers {status}")
    rows = (line.split(maxsplit=1) for line in page.splitlines()[1:])
    return {row[0]: row[1] for row in rows}


def _status(address: str, path: str) -> int | None:
    """Return the status of an answer, or None when nobody listens."""
    try:
        return _get(address, path)[0]
    except ConnectionRefusedError:
        return None


def _get(address: str, path: str) -> tuple[int, str]:
    netloc = urlsplit(address).netloc
    with closing(http.client.HTTPConnection(netloc, timeout=ANSWER_BOUND_S)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
