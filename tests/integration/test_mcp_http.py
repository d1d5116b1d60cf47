"""MCP servers over streamable HTTP, somewhere else and as commands that listen."""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.support.http_servers import SDK, HttpServer, http_server
from tests.support.ports import held_port
from tests.support.real_daemon import BOUND_S, RealDaemon, is_alive, real_daemon, roost

from roost.errors import RoostError
from roost.models import BundleKind, BundleSettings, InstallRequest, RespawnStrategy, SourceKind

pytestmark = [pytest.mark.real, pytest.mark.timeout(300), pytest.mark.xdist_group("mcp-http")]

PROBED = BundleSettings(probe_interval_s=0.5, start_budget_s=BOUND_S, stop_grace_s=1)

TOKEN = "tok-5f2c9a71"


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon() as started:
        yield started


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    """A server elsewhere that all tests may use which leave it as it is."""
    with http_server() as listening:
        yield listening


def install_url(daemon: RealDaemon, name: str, url: str, **changes: Any) -> None:
    given: dict[str, Any] = {"settings": PROBED} | changes
    daemon.install(InstallRequest(source=SourceKind.URL, name=name, url=url, **given))


def install_command(daemon: RealDaemon, name: str, *options: str, **changes: Any) -> None:
    given: dict[str, Any] = {"settings": PROBED} | changes
    daemon.install(
        InstallRequest(
            source=SourceKind.COMMAND,
            kind=BundleKind.MCP_HTTP,
            name=name,
            command=(sys.executable, str(SDK), *options),
            **given,
        )
    )


def moves(daemon: RealDaemon, name: str) -> list[tuple[str, str]]:
    """Return the transitions of a bundle, oldest first."""
    found = daemon.detail(name)["transitions"]
    return [(move["after"], move["cause"]) for move in sorted(found, key=lambda m: m["at"])]


@pytest.mark.parametrize("options", [(), ("--legacy",)], ids=["stateless", "handshake"])
def test_a_server_elsewhere_goes_away_is_said_to_be_gone_and_is_used_again_once_it_is_back(
    daemon: RealDaemon, options: tuple[str, ...]
) -> None:
    name = "away" + "".join(options)
    with http_server(*options) as server:
        install_url(daemon, name, server.url)
        view = daemon.until(name, "running")
        assert view["address"] == server.url and view["tool_count"] == 5
        assert (view["generation"]["pid"], view["generation"]["number"]) == (None, 1)
        assert daemon.call(name, "echo", text="hello") == "hello"
        run = daemon.begin(name, "wait")
        server.output.readline()
        server.prepare()
        server.kill()
        gone = daemon.until(name, lambda view: view["state"] != "running" and view["crash"])
        server.start()  # at once: tries that fail are soon minutes apart
        assert gone["crash"]["exit"] == "disconnected" and gone["figures"] is None
        assert daemon.settled(run)["run"]["error"]["code"] == "lost"
        told = [m["reason"] for m in daemon.detail(name)["transitions"] if m["cause"] == "crash"]
        assert told and server.url in told[0]
        back = daemon.until(name, lambda view: view["state"] == "running")
        assert back["generation"]["number"] > 1
        assert daemon.call(name, "echo", text="again") == "again"
        assert any(server.url in line for line in daemon.log(name, generation=1))


def test_a_server_that_wants_a_credential_runs_once_its_header_is_set_and_never_shows_it(
    daemon: RealDaemon,
) -> None:
    with http_server("--token", TOKEN) as server:
        headers = {"Authorization": "Bearer wrong-" + TOKEN}
        install_url(daemon, "guarded", server.url, headers=headers)
        view = daemon.until("guarded", "dead")
        assert view["reason"]["code"] == "unauthorized"
        assert "401" in view["reason"]["sentence"]
        assert "roost credentials w/guarded --set Authorization" in view["reason"]["sentence"]
        why = daemon.wire.get(f"{daemon.path('guarded')}/why")
        failing = [step for step in why["steps"] if step["status"] == "failed"]
        assert failing[0]["check"] == "handshake" and "--set Authorization" in failing[0]["way_out"]
        written = daemon.set("guarded", Authorization=f"Bearer {TOKEN}")
        assert written["respawn"] is None or written["respawn"]["ok"]
        daemon.post(f"{daemon.path('guarded')}/start")
        running = daemon.until("guarded", "running")
        assert running["generation"]["credential_revision"] == 2
        assert TOKEN not in daemon.call("guarded", "echo", text=f"it is {TOKEN}")
        shown = str([daemon.detail("guarded"), daemon.log("guarded"), why])
        shown += (daemon.data_dir / "daemon.log").read_text()
        assert TOKEN not in shown


def test_a_stop_ends_the_session_and_nothing_of_the_server(
    daemon: RealDaemon, server: HttpServer
) -> None:
    install_url(daemon, "stopped", server.url)
    daemon.until("stopped", "running")
    first = daemon.post(f"{daemon.path('stopped')}/respawn", {})
    assert first["ok"] and first["generation"] == 2, first
    assert daemon.post(f"{daemon.path('stopped')}/stop")["ok"]
    assert server.is_alive and daemon.view("stopped")["address"] is None
    assert any("generation 2 ended: disconnected" in line for line in daemon.log("stopped"))
    assert ("backing_off", "crash") not in moves(daemon, "stopped")


def test_a_server_that_cannot_be_reached_is_dead_with_its_address_in_the_sentence(
    daemon: RealDaemon,
) -> None:
    with held_port() as port:
        url = f"http://127.0.0.1:{port}/mcp"
        install_url(daemon, "nobody", url)
        view = daemon.until("nobody", "dead")
    assert url in view["reason"]["sentence"] and view["reason"]["code"] == "refused"
    why = daemon.wire.get(f"{daemon.path('nobody')}/why")
    assert "Start the server there" in why["sentence"]


def test_a_command_that_listens_is_waited_for_and_is_a_process_and_an_mcp_server_in_one(
    daemon: RealDaemon,
) -> None:
    install_command(daemon, "own", "--busy", "3", env={"MODE": "test"})
    view = daemon.until("own", "running")
    assert view["generation"]["number"] == 1, "that it was busy at first is no failure"
    assert view["tool_count"] == 5 and is_alive(view["generation"]["pid"])
    assert view["address"].endswith("/mcp")
    assert daemon.call("own", "slow", steps=3) == "counted to 3"
    assert any("listens on" in line for line in daemon.log("own"))
    os.kill(view["generation"]["pid"], signal.SIGKILL)
    again = daemon.until("own", lambda view: view["generation"]["number"] == 2)
    assert again["crash"]["exit"] == "SIGKILL"
    daemon.until("own", "running")
    assert daemon.post(f"{daemon.path('own')}/stop")["ok"]


def test_a_foreign_program_on_the_port_of_a_command_never_counts(
    daemon: RealDaemon, server: HttpServer
) -> None:
    install_command(daemon, "squeezed", url=server.url)
    view = daemon.until("squeezed", "dead")
    assert view["reason"]["code"] == "port_in_use" and str(server.port) in str(view["reason"])
    assert server.is_alive


def test_a_command_with_a_free_port_is_handed_over_while_a_call_is_answered(
    daemon: RealDaemon,
) -> None:
    install_command(daemon, "twin", settings=replace(PROBED, strategy=RespawnStrategy.HANDOVER))
    first = daemon.until("twin", "running")
    run = daemon.begin("twin", "slow", steps=40)
    result = daemon.post(f"{daemon.path('twin')}/respawn", {})
    assert result["ok"], result
    assert daemon.settled(run)["run"]["status"] == "succeeded"
    second = daemon.until("twin", lambda view: view["generation"]["number"] == 2)
    assert second["address"] != first["address"]
    assert daemon.post(f"{daemon.path('twin')}/stop")["ok"]


def test_a_daemon_that_was_killed_connects_again_and_sweeps_nothing_of_the_server(
    server: HttpServer,
) -> None:
    with real_daemon() as daemon:
        install_url(daemon, "app", server.url)
        daemon.until("app", "running")
        daemon.kill()
        again = RealDaemon(daemon.data_dir)
        try:
            view = again.until("app", "running")
            assert view["generation"]["number"] == 2 and server.is_alive
        finally:
            again.stop()


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("ftp://host/mcp", {}),
        ("http://me:hunter22@host/mcp", {}),
        ("https://host/mcp", {"Host": "other"}),
        ("https://host/mcp", {"Mcp-Session-Id": "1"}),
        ("https://host/mcp", {"X-Key": "a\nb"}),
        ("https://host/mcp", {"X Key": "a"}),
    ],
)
def test_what_cannot_be_asked_over_http_is_refused_and_nothing_is_installed(
    daemon: RealDaemon, url: str, headers: dict[str, str]
) -> None:
    with pytest.raises(RoostError) as refused:
        install_url(daemon, "refused", url, headers=headers)
    assert refused.value.code == "bad_url" and "hunter22" not in refused.value.message
    with pytest.raises(RoostError):
        daemon.view("refused")


def test_the_command_line_calls_a_tool_of_a_server_elsewhere(
    daemon: RealDaemon, server: HttpServer
) -> None:
    install_url(daemon, "called", server.url)
    daemon.until("called", "running")
    done = roost(daemon.data_dir, "call", "w/called", "slow", "-a", "steps=2")
    assert done.returncode == 0 and "counted to 2" in done.stdout
    logged = roost(daemon.data_dir, "logs", "w/called")
    assert server.url in logged.stdout
