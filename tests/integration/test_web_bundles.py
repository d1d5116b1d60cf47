"""Web apps on ports: which one they get, when they are ready, and whose answer counts."""

import http.client
import os
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.support.ports import held_port, is_open, needs_ipv6
from tests.support.real_daemon import (
    PYTHON,
    RealDaemon,
    is_alive,
    real_daemon,
    roost,
    wait_for,
)

from roost.errors import BadInput, BadPort
from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("web-bundles")]

PROGRAMS = Path(__file__).parents[1] / "support" / "programs"
WEB = PROGRAMS / "web.py"
MANNERS = PROGRAMS / "web_manners.py"

PATIENT = BundleSettings(start_budget_s=600, stop_grace_s=1)
"""A start that fails within a test's bound did not wait for its budget."""

BUDGETS_S = (5, 60)
"""The second one is for a machine so busy that the server did not come to answer within the
first."""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon() as started:
        yield started


def install(
    daemon: RealDaemon,
    name: str,
    *options: str,
    settings: BundleSettings = PATIENT,
    **changes: Any,
) -> None:
    """Install the server with these manners."""
    given: dict[str, Any] = {"command": (PYTHON, "-S", str(MANNERS), *options)} | changes
    daemon.install(
        InstallRequest(
            source=SourceKind.COMMAND, name=name, kind=BundleKind.WEB, settings=settings, **given
        )
    )


def address_of(daemon: RealDaemon, name: str) -> str:
    return str(daemon.until(name, "running")["address"])


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def answer_of(address: str) -> list[str]:
    url = urllib.parse.urlsplit(address)
    assert url.hostname is not None
    with closing(http.client.HTTPConnection(url.hostname, url.port, timeout=30)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().read().decode().split()


class Fine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def somebody_else_on(port: int) -> Iterator[None]:
    """Serve a port from the test's own process."""
    server = HTTPServer(("127.0.0.1", port), Fine)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_stop_returns_when_the_port_is_closed_and_a_start_right_after_it_succeeds(
    daemon: RealDaemon,
) -> None:
    install(daemon, "web", command=(PYTHON, "-S", str(WEB)))
    for _ in range(3):
        port = port_of(address_of(daemon, "web"))
        assert is_open(port)
        assert daemon.post(f"{daemon.path('web')}/stop")["ok"]
        assert not is_open(port)
        assert daemon.view("web")["address"] is None
        assert daemon.post(f"{daemon.path('web')}/start")["ok"]


def test_every_start_gets_another_free_port_in_port_and_in_its_arguments(
    daemon: RealDaemon,
) -> None:
    install(daemon, "free", "--port", "${port}", "--path", "/")
    before = ""
    for _ in range(3):
        address = address_of(daemon, "free")
        pid, port = answer_of(address)
        view = daemon.view("free")
        assert (int(pid), int(port)) == (view["generation"]["pid"], port_of(address))
        assert f"PORT={port}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert address != before
        before = address
        assert daemon.post(f"{daemon.path('free')}/respawn")["ok"]


def test_show_and_ps_tell_the_address_while_it_runs(daemon: RealDaemon) -> None:
    install(daemon, "shown", "--path", "/healthz", ready_path="/healthz")
    address = address_of(daemon, "shown")
    told = roost(daemon.data_dir, "show", "shown").stdout.splitlines()
    assert ["address", address] in [line.split() for line in told]
    assert f'"address":"{address}"' in roost(daemon.data_dir, "ps", "--json").stdout
    assert daemon.post(f"{daemon.path('shown')}/stop")["ok"]
    assert address not in roost(daemon.data_dir, "show", "shown").stdout


def test_a_fixed_port_is_kept_and_refused_while_somebody_else_has_it(daemon: RealDaemon) -> None:
    with held_port() as port:
        install(daemon, "fixed", port=port, start=False)
        with socket.socket() as somebody:
            somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            somebody.bind(("127.0.0.1", port))
            somebody.listen()
            refused = daemon.post(f"{daemon.path('fixed')}/start")
            assert refused["code"] == "port_in_use" and str(port) in refused["sentence"]
            assert daemon.view("fixed")["state"] == "dead"
            assert daemon.view("fixed")["generation"] is None, "a process was started"
        for _ in range(2):
            assert daemon.post(f"{daemon.path('fixed')}/respawn")["ok"]
            assert address_of(daemon, "fixed") == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    "asked", [{"port": 70000}, {"port": -1}, {"env": {"PORT": "3000abc"}}], ids=str
)
def test_what_is_no_port_installs_nothing(daemon: RealDaemon, asked: dict[str, Any]) -> None:
    with pytest.raises(BadPort):
        install(daemon, "none", **asked)
    with pytest.raises(BadInput, match="readiness path"):
        install(daemon, "none", ready_path="no path")
    assert "none" not in [view["name"] for view in daemon.wire.get("/v1/bundles")]


def test_a_server_that_is_unavailable_at_first_becomes_ready(daemon: RealDaemon) -> None:
    install(daemon, "slow", "--unavailable", "3")
    assert int(answer_of(address_of(daemon, "slow"))[0]) == daemon.pid_of("slow")


@needs_ipv6
def test_a_server_on_ipv6_only_is_ready_at_its_own_address(daemon: RealDaemon) -> None:
    install(daemon, "six", "--host", "::1")
    address = address_of(daemon, "six")
    assert address.startswith("http://[::1]:")
    assert int(answer_of(address)[1]) == port_of(address)


NEVER_READY = {
    "moved": (("--status", "302"), "answers 302 and not 2xx"),
    "lost": (("--path", "/app"), "answers 404 and not 2xx"),
    "mute": (("--mute",), "has no answer yet"),
    "absent": (("--deaf",), "nothing listens on port"),
}


@pytest.mark.timeout(300)
def test_a_server_that_never_becomes_ready_is_ended_at_its_budget_and_says_what_was_found(
    daemon: RealDaemon,
) -> None:
    left, told = set(NEVER_READY), dict[str, str]()
    for budget_s in BUDGETS_S:
        for name in left:
            settings = BundleSettings(start_budget_s=budget_s, stop_grace_s=1)
            install(daemon, f"{name}-{budget_s}", *NEVER_READY[name][0], settings=settings)
        told = {name: told_at_its_budget(daemon, f"{name}-{budget_s}") for name in left}
        left = {name for name in left if NEVER_READY[name][1] not in told[name]}
    assert not left, told


def told_at_its_budget(daemon: RealDaemon, name: str) -> str:
    """Wait until a bundle has been given up, and return what is said of it."""
    bound_s = 2.0 * BUDGETS_S[-1]
    view = wait_for(
        lambda: daemon.view(name), lambda view: view["state"] == "dead", bound_s=bound_s
    )
    assert view["reason"]["code"] == "start_timeout" and view["step"] == "readiness"
    assert not is_alive(view["generation"]["pid"])
    return str(view["reason"]["sentence"])


def test_a_server_that_dies_under_the_question_ends_its_start_at_once(daemon: RealDaemon) -> None:
    install(daemon, "dying", "--die-when-asked")
    view = daemon.until("dying", "dead")
    assert view["reason"]["code"] == "exited" and "exit 4" in view["reason"]["sentence"]
    assert view["crash"]["stderr_tail"] == ["fatal: the database is gone"]


def test_the_answer_of_somebody_else_on_its_port_is_not_its_own(daemon: RealDaemon) -> None:
    install(daemon, "squatted", "--deaf")
    view = daemon.until("squatted", lambda view: view["generation"] and view["step"] == "readiness")
    environ = Path(f"/proc/{view['generation']['pid']}/environ").read_bytes().split(b"\0")
    port = int(next(e for e in environ if e.startswith(b"PORT=")).removeprefix(b"PORT="))
    with somebody_else_on(port):
        view = daemon.until("squatted", "dead")
    assert view["reason"]["code"] == "port_in_use"
    assert f"(pid {os.getpid()})" in view["reason"]["sentence"]
    assert not is_alive(view["generation"]["pid"]) and view["address"] is None


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("child", "{server} & wait"),
        ("orphan", "({server} &) ; sleep 1000"),
        ("session", "setsid {server} & wait"),
    ],
)
def test_a_server_behind_a_wrapper_is_the_bundles_own(
    daemon: RealDaemon, name: str, script: str
) -> None:
    server = f"{PYTHON} -S {MANNERS}"
    install(daemon, name, command=("/bin/sh", "-c", script.format(server=server)))
    address = address_of(daemon, name)
    pid = int(answer_of(address)[0])
    assert pid != daemon.pid_of(name)
    assert daemon.post(f"{daemon.path(name)}/stop")["ok"]
    assert not is_alive(pid) and not is_open(port_of(address))


def test_bundles_that_start_together_never_meet_on_a_port(daemon: RealDaemon) -> None:
    names = [f"many-{number}" for number in range(8)]
    for name in names:
        install(daemon, name)
    views = wait_for(
        lambda: [daemon.view(name) for name in names],
        lambda views: all(view["state"] == "running" for view in views),
    )
    assert len({view["address"] for view in views}) == len(names)
    assert not any(view["failures"] for view in views)
