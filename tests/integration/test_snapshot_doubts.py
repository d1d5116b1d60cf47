"""Snapshots under doubt: crowds, lost templates, other behaviour, ends; nothing is lost or left."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.support.bundle_files import manifest, write_archive
from tests.support.ports import held_port
from tests.support.real_daemon import (
    RealDaemon,
    is_alive,
    processes_with,
    real_daemon,
    wait_for,
)
from tests.support.snapshot_bundles import (
    MCP,
    QUICK,
    build,
    built,
    change,
    data_id_of,
    descriptors,
    install,
    kill,
    memory,
    mode,
    named,
    respawn,
    snapshot,
    snapshot_detail,
    template_of,
    templates,
    threads,
    warm,
    write,
    zombies_of,
)

from roost.errors import RoostError
from roost.models import (
    BundleKind,
    BundleSettings,
    InstallRequest,
    ResourceLimits,
    RestartPolicy,
    SourceKind,
    UpgradeRequest,
)

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("snapshot-doubts")]

CALLERS = 20

LOGS_KEPT = 50
"""Generations whose logs a daemon keeps, unless it is told otherwise."""

WEB = """
import http.server
import os


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")


if __name__ == "__main__":
    http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Hello).serve_forever()
"""

FACTS = """
import json, os, resource, signal, sys, threading, time

def facts():
    mask = os.umask(0)
    os.umask(mask)
    return {
        "umask": mask,
        "cwd": os.getcwd(),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "tty": [stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "sid": os.getsid(0) == os.getpid() == os.getpgid(0),
        "fds": len(os.listdir("/proc/self/fd")),
        "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "blocked": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "nice": os.nice(0),
        "oom": open("/proc/self/oom_score_adj").read(),
        "argv": sys.argv,
        "threads": threading.active_count(),
        "env": sorted(os.environ),
        "path": sys.path,
    }

if __name__ == "__main__":
    draft = sys.argv[1] + ".draft"
    with open(draft, "w") as file:
        json.dump(facts(), file)
    os.replace(draft, sys.argv[1])
    signal.pause()
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon("w", "other") as daemon:
        yield daemon


def test_twenty_respawns_around_a_credential_write_end_in_one_process_with_its_value(
    daemon: RealDaemon,
) -> None:
    last = secrets.token_hex(8)
    daemon.install_mini("crowd", env={"API_KEY": "first-of-them"})
    daemon.until("crowd", "running")
    built(daemon, "crowd")

    def act(number: int) -> Any:
        if number == CALLERS // 2:
            return daemon.set("crowd", API_KEY=last)["respawn"]
        return daemon.post(f"{daemon.path('crowd')}/respawn")

    with ThreadPoolExecutor(CALLERS) as pool:
        results = list(pool.map(act, range(CALLERS)))
    assert [r["sentence"] for r in results if not r["ok"]] == []
    assert mode(daemon, "crowd") == "zygote"
    pid = daemon.pid_of("crowd")
    assert processes_of(daemon, "crowd") == {pid, template_of(daemon, "crowd")}
    assert last.encode() in memory(pid)


def processes_of(daemon: RealDaemon, name: str) -> set[int]:
    """Return all of a running bundle's living processes, its template with them."""
    mark = f"ROOST_MARK={data_id_of(daemon.pid_of(name))}/"
    return {pid for pid in processes_with(mark) if named(pid) == f"w/{name}"}


def test_a_restored_process_is_given_what_a_cold_one_is_given(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    told = tmp_path / "facts.json"
    settings = BundleSettings(
        start_budget_s=30, stop_grace_s=1, settle_s=0.05, limits=ResourceLimits(open_files=64)
    )
    script = write(tmp_path, "facts.py", FACTS)
    install(daemon, "facts", script, str(told), settings=settings, directory=str(tmp_path))
    daemon.until("facts", "running")
    wait_for(told.exists, bool)
    cold = json.loads(told.read_text())
    built(daemon, "facts")
    told.unlink()
    assert respawn(daemon, "facts") == "zygote"
    wait_for(told.exists, bool)
    restored = json.loads(told.read_text())
    assert restored == cold
    assert restored["files"] == [64, 64]


def test_a_bundle_with_a_fixed_port_is_built_and_verified_while_it_is_stopped(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    with held_port() as port:
        install(daemon, "fixed", write(tmp_path, "web.py", WEB), kind=BundleKind.WEB, port=port)
        pid = daemon.pid_of("fixed")
        assert_port_is_named(daemon, "build", port)
        assert snapshot(daemon, "fixed")["state"] is None, "nothing is noted of what was not begun"
        assert daemon.pid_of("fixed") == pid
        daemon.post(f"{daemon.path('fixed')}/stop")
        built(daemon, "fixed")
        daemon.post(f"{daemon.path('fixed')}/start")
        assert mode(daemon, "fixed") == "zygote"
        key = snapshot_detail(daemon, "fixed")["key"]
        for verb in ("build", "verify"):
            assert_port_is_named(daemon, verb, port)
        assert snapshot_detail(daemon, "fixed")["key"] == key
        assert snapshot(daemon, "fixed")["state"] == "ready"
        assert respawn(daemon, "fixed") == "zygote"


def assert_port_is_named(daemon: RealDaemon, verb: str, port: int) -> None:
    with pytest.raises(RoostError, match=f"port {port}.*`roost stop w/fixed`"):
        daemon.post(f"{daemon.path('fixed')}/snapshot/{verb}")


def test_a_server_that_answers_otherwise_when_restored_is_not_published(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    write(tmp_path, "tiny.py", MCP)
    text = (
        "import time, tiny\n"
        "if __name__ == '__main__':\n"
        "    tools = {'one': lambda _: '1'}\n"
        "    if tiny.is_restored():\n"
        "        tools['two'] = lambda _: '2'\n"
        "    tiny.serve(tools, instructions=f'since {time.monotonic_ns()}')\n"
    )
    install(daemon, "other", write(tmp_path, "app.py", text), kind=BundleKind.MCP_STDIO)
    daemon.until("other", "running")
    view = build(daemon, "other")
    assert (view["state"], view["reason"]["code"]) == ("failed", "answers_differ")
    assert "it answers initialize, tools/list otherwise" in view["reason"]["sentence"]
    assert not view["is_warm"]
    assert respawn(daemon, "other") == "cold"


COPYING = """
import json
import os
import posix
import copier
import tiny


def is_plain(_):
    return str(os.environ._data is posix.environ and os.environb._data is posix.environ)


if __name__ == "__main__":
    tiny.serve({"copied": lambda _: json.dumps(copier.ALL), "is-plain": is_plain})
"""


def test_an_allowed_copy_of_the_environment_holds_no_credential_and_counts_as_a_whole(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    write(tmp_path, "tiny.py", MCP)
    write(tmp_path, "copier.py", "import os\n\nALL = dict(os.environ)\n")
    env = {"API_KEY": secrets.token_hex(16), "LEVEL": "1"}
    script = write(tmp_path, "app.py", COPYING)
    install(daemon, "copies", script, kind=BundleKind.MCP_STDIO, env=env)
    daemon.until("copies", "running")
    built(daemon, "copies")
    detail = snapshot_detail(daemon, "copies")
    assert detail["excluded"] == ["copier"]
    assert "`roost set copies --snapshot-allow copier`" in detail["findings"][0]["sentence"]
    change(daemon, "copies", b'{"snapshot_allow": ["copier"]}')
    assert respawn(daemon, "copies") == "cold"
    assert snapshot(daemon, "copies")["reason"]["code"] == "allowed"
    built(daemon, "copies")
    detail = snapshot_detail(daemon, "copies")
    assert (detail["excluded"], detail["findings"]) == ([], [])
    assert detail["allowed"] == ["copier"]
    assert respawn(daemon, "copies") == "zygote"
    copied = json.loads(daemon.call("copies", "copied"))
    assert copied["LEVEL"] == "1"
    assert [name for name in copied if name == "API_KEY" or name.startswith("ROOST_")] == []
    assert daemon.call("copies", "is-plain") == "True", "its own environment is as in a cold start"
    assert env["API_KEY"].encode() in memory(daemon.pid_of("copies"))
    assert env["API_KEY"].encode() not in memory(template_of(daemon, "copies"))
    daemon.set("copies", API_KEY=secrets.token_hex(16))
    assert mode(daemon, "copies") == "zygote", "another value of a credential changes nothing"
    daemon.set("copies", LEVEL="2")
    assert mode(daemon, "copies") == "cold"
    assert snapshot(daemon, "copies")["reason"]["sentence"] == (
        "environment: LEVEL has another value, and copier copied all of it while it was loaded"
    )


def test_a_handshake_that_fails_only_when_restored_is_a_failed_build(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    write(tmp_path, "tiny.py", MCP)
    text = (
        "import sys, tiny\n"
        "if __name__ == '__main__':\n"
        "    if tiny.is_restored():\n"
        "        sys.exit('not as a copy')\n"
        "    tiny.serve({})\n"
    )
    install(daemon, "shy", write(tmp_path, "app.py", text), kind=BundleKind.MCP_STDIO)
    daemon.until("shy", "running")
    view = build(daemon, "shy")
    assert (view["state"], view["phase"]) == ("failed", "verify")
    assert "not as a copy" in view["reason"]["sentence"]
    assert template_pids(daemon, "shy") == []


def template_pids(daemon: RealDaemon, name: str) -> list[int]:
    return [pid for pid in templates(daemon) if named(pid) == f"w/{name}"]


ENDS = """
import atexit, os, signal, sys, threading, time

atexit.register(lambda: print("goodbye", file=sys.stderr, flush=True))

def end(how):
    if how == "exit-3": sys.exit(3)
    if how == "raise": raise RuntimeError("told to")
    if how == "kill": os.kill(os.getpid(), signal.SIGKILL)
    if how == "abort": os.abort()
    if how == "_exit": os._exit(4)
    if how == "zero": sys.exit(0)
    if how == "thread":
        threading.Thread(target=time.sleep, args=(0.1,)).start()
        sys.exit(5)
    if how == "child":
        if os.fork() == 0:
            time.sleep(600)
        sys.exit(6)
    if how == "segv": os.kill(os.getpid(), signal.SIGSEGV)

if __name__ == "__main__":
    print("first", file=sys.stderr, flush=True)
    print("out", flush=True)
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
    how = open(sys.argv[1]).read()
    os.unlink(sys.argv[1])
    end(how)
"""

WAYS = ("exit-3", "raise", "kill", "abort", "_exit", "thread", "child", "zero", "segv")


def ending(daemon: RealDaemon, name: str, order: Path, how: str) -> tuple[Any, ...]:
    """Start a bundle that is not started again, have it end, and return what is told of it."""
    daemon.post(f"{daemon.path(name)}/start")
    daemon.until(name, "running")
    draft = order.with_suffix(".draft")
    draft.write_text(how)
    draft.rename(order)
    view = daemon.until(name, lambda view: view["state"] not in ("running", "starting"))
    crash = view["crash"] or {}
    tail = [line.replace("ends-cold", "ends") for line in crash.get("stderr_tail", [])]
    return view["state"], crash.get("exit"), tail


def test_every_way_to_end_is_recorded_as_that_of_a_cold_process(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    order = tmp_path / "order"
    script = write(tmp_path, "ends.py", ENDS)
    settings = BundleSettings(
        start_budget_s=30, stop_grace_s=1, settle_s=0.05, restart=RestartPolicy.NEVER
    )
    install(daemon, "ends", script, str(order), settings=settings)
    daemon.until("ends", "running")
    daemon.post(f"{daemon.path('ends')}/stop")
    cold = {how: ending(daemon, "ends", order, how) for how in WAYS}
    built(daemon, "ends")
    restored = {}
    for how in WAYS:
        restored[how] = ending(daemon, "ends", order, how)
        assert daemon.view("ends")["generation"]["start_mode"] == "zygote", how
    assert restored == cold
    daemon.post(f"{daemon.path('ends')}/start")
    daemon.until("ends", "running")
    kill(template_of(daemon, "ends"))
    order.write_text("exit-3")
    view = daemon.until("ends", lambda view: view["state"] != "running")
    assert (view["state"], view["crash"]["exit"]) == cold["exit-3"][:2]


STOPPED = """
import signal, sys, time

def stop(number, frame):
    print("asked to stop", file=sys.stderr, flush=True)
    time.sleep(0.2)
    print("stopped well", file=sys.stderr, flush=True)
    sys.exit(0)

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    print("up", flush=True)
    while True:
        time.sleep(60)
"""


def test_a_restored_process_is_asked_to_stop_and_given_its_grace(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    settings = BundleSettings(start_budget_s=30, stop_grace_s=20, settle_s=0.05)
    install(daemon, "polite", write(tmp_path, "app.py", STOPPED), settings=settings)
    daemon.until("polite", "running")
    built(daemon, "polite")
    assert respawn(daemon, "polite") == "zygote"
    wait_for(lambda: daemon.log("polite"), lambda lines: "up" in lines)
    pid = daemon.pid_of("polite")
    daemon.post(f"{daemon.path('polite')}/stop")
    assert not is_alive(pid)
    assert daemon.log("polite")[-3:-1] == ["asked to stop", "stopped well"]


def test_one_template_serves_one_bundle_of_one_workspace(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    pids = set()
    for workspace in ("w", "other"):
        daemon.install_mini("twin", workspace=workspace)
        daemon.until("twin", "running", workspace)
        built(daemon, "twin", workspace)
        assert respawn(daemon, "twin", workspace) == "zygote"
        pids.add(template_of(daemon, "twin", workspace))
    assert len(pids) == 2
    daemon.wire.send("DELETE", f"{daemon.path('twin')}/snapshot")
    wait_for(lambda: template_pids(daemon, "twin"), lambda left: not left)
    assert snapshot(daemon, "twin", "other")["is_warm"]
    assert respawn(daemon, "twin", "other") == "zygote"
    assert respawn(daemon, "twin") == "cold"


def figures(daemon: RealDaemon, template: int) -> tuple[int, int, int, int, int]:
    """Return what must not grow: descriptors, threads and zombies of the daemon and a template."""
    return (
        descriptors(daemon.pid),
        len(zombies_of(daemon.pid)),
        descriptors(template),
        threads(template),
        len(zombies_of(template)),
    )


def settles_at(daemon: RealDaemon, template: int, most: tuple[int, ...]) -> None:
    """Wait until nothing is more than it was; connections and zombies go shortly after a verb."""
    wait_for(
        lambda: figures(daemon, template),
        lambda now: all(one <= other for one, other in zip(now, most, strict=True)),
    )


@pytest.mark.parametrize("count", [10, pytest.param(50, marks=pytest.mark.soak)])
def test_many_respawns_leave_nothing_behind_in_daemon_and_template(
    daemon: RealDaemon, count: int
) -> None:
    name = f"often-{count}"
    daemon.install_mini(name)
    daemon.until(name, "running")
    built(daemon, name)
    assert respawn(daemon, name) == "zygote"
    template = template_of(daemon, name)
    settles_at(daemon, template, (10**6, 0, 10**6, 1, 0))
    before, threads_before = figures(daemon, template), threads(daemon.pid)
    for _ in range(count):
        assert respawn(daemon, name) == "zygote"
    assert daemon.view(name)["generation"]["number"] == count + 2
    assert template_of(daemon, name) == template
    settles_at(daemon, template, before)
    # The daemon's own pools may have begun some of their few threads meanwhile.
    assert threads(daemon.pid) < threads_before + count
    logs = (daemon.data_dir / "logs" / "w" / name).iterdir()
    numbers = sorted({int(log.name.partition("-")[0]) for log in logs})
    kept = min(count + 2, LOGS_KEPT)
    assert numbers[-kept:] == list(range(count + 3 - kept, count + 3))


@pytest.mark.parametrize("count", [2, pytest.param(25, marks=pytest.mark.soak)])
def test_a_template_that_is_lost_in_mid_start_costs_a_cold_start_and_leaves_nothing(
    daemon: RealDaemon, count: int
) -> None:
    name = f"lossy-{count}"
    daemon.install_mini(name)
    daemon.until(name, "running")
    built(daemon, name)
    template = template_of(daemon, name)
    settles_at(daemon, template, (10**6, 0, 10**6, 1, 0))
    before = figures(daemon, template)
    for number in range(count * 2):
        template = template_of(daemon, name)
        # Its start is ordered and never adopted: it is given up in time, or lost before.
        os.kill(template, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(respawn, daemon, name)
            if number % 2:
                wait_for(lambda: daemon.view(name)["step"] == "spawn" or asked.done(), bool)  # noqa: B023
                kill(template)
            assert asked.result() == "cold"
        assert daemon.call(name, "echo") == "{}"
        assert not is_alive(template)
        built(daemon, name)  # forgets the loss
    settles_at(daemon, template_of(daemon, name), before)
    pid = daemon.pid_of(name)
    assert processes_of(daemon, name) == {pid, template_of(daemon, name)}


def test_two_builds_at_once_are_one_and_a_refusal(daemon: RealDaemon) -> None:
    daemon.install_mini("twice")
    daemon.until("twice", "running")

    def attempt(_: int) -> str:
        try:
            return str(build(daemon, "twice")["state"])
        except RoostError as error:
            return error.code

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(attempt, range(3))) == ["ready", "snapshot_busy", "snapshot_busy"]


def test_a_bundle_that_needs_its_snapshot_is_started_from_the_next_template(
    daemon: RealDaemon,
) -> None:
    daemon.install_mini("needy")
    daemon.until("needy", "running")
    built(daemon, "needy")
    change(daemon, "needy", b'{"snapshot": "require"}')
    os.kill(template_of(daemon, "needy"), signal.SIGSTOP)
    assert respawn(daemon, "needy") == "zygote"
    for _ in range(2):  # the third loss is one too many for starts that may be cold
        os.kill(template_of(daemon, "needy"), signal.SIGSTOP)
        crash(daemon, "needy")
        assert mode(daemon, "needy") == "zygote"
    assert daemon.call("needy", "echo") == "{}"


def crash(daemon: RealDaemon, name: str) -> None:
    """Kill a bundle's process and wait for the next one."""
    number = daemon.view(name)["generation"]["number"]
    kill(daemon.pid_of(name))
    daemon.until(name, lambda view: view["generation"]["number"] > number)


def test_policies_hold_for_respawns(daemon: RealDaemon) -> None:
    daemon.install_mini("policy")
    daemon.until("policy", "running")
    built(daemon, "policy")
    change(daemon, "policy", b'{"snapshot": "off"}')
    assert respawn(daemon, "policy") == "cold"
    wait_for(lambda: template_pids(daemon, "policy"), lambda left: not left)
    change(daemon, "policy", b'{"snapshot": "require"}')
    assert respawn(daemon, "policy") == "zygote"
    daemon.wire.send("DELETE", f"{daemon.path('policy')}/snapshot")
    result = daemon.post(f"{daemon.path('policy')}/respawn")
    assert not result["ok"] and "roost snapshot build" in result["sentence"]


def test_a_cold_start_that_fails_in_place_of_a_restored_one_convicts_no_snapshot(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    bad = tmp_path / "bad"
    text = (
        "import os, sys, tiny\n"
        "if __name__ == '__main__':\n"
        f"    if os.path.exists({str(bad)!r}):\n"
        f"        os.unlink({str(bad)!r})\n"
        "        sys.exit('this once')\n"
        "    tiny.serve({})\n"
    )
    write(tmp_path, "tiny.py", MCP)
    install(daemon, "once", write(tmp_path, "app.py", text), kind=BundleKind.MCP_STDIO)
    daemon.until("once", "running")
    built(daemon, "once")
    os.kill(template_of(daemon, "once"), signal.SIGSTOP)
    bad.touch()
    result = daemon.post(f"{daemon.path('once')}/respawn")
    assert not result["ok"] and "this once" in result["sentence"]
    assert not bad.exists()
    view = snapshot(daemon, "once")
    assert view["state"] == "ready", view["reason"]
    warm(daemon, "once")
    assert respawn(daemon, "once") == "zygote"


FAMILY = """
import os, sys, time

if __name__ == "__main__":
    os.write(1, b"first byte\\n")
    sys.stdout.write("half ")
    sys.stdout.flush()
    sys.stderr.write("warned\\n")
    print("line", "x" * 70_000, flush=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            print(os.getpid(), file=open(sys.argv[1] + ".draft", "w"), flush=True)
            os.rename(sys.argv[1] + ".draft", sys.argv[1])
            time.sleep(600)
        os._exit(0)
    os.wait()
    time.sleep(600)
"""


def test_what_a_restored_process_leaves_behind_is_ended_with_it_and_its_log_is_whole(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    told = tmp_path / "grandchild"
    install(daemon, "family", write(tmp_path, "app.py", FAMILY), str(told))
    logs, grandchildren = [], []
    for expected in ("cold", "zygote"):
        assert mode(daemon, "family") == expected
        wait_for(told.exists, bool)
        grandchildren.append(int(told.read_text()))
        told.unlink()
        daemon.post(f"{daemon.path('family')}/stop")
        logs.append(daemon.log("family")[1:])
        assert not is_alive(grandchildren[-1])
        if expected == "cold":
            built(daemon, "family")
            told.unlink()
            daemon.post(f"{daemon.path('family')}/start")
    cold, restored = (sorted(line for line in log if "generation" not in line) for log in logs)
    assert restored == cold
    assert "first byte" in restored and "warned" in restored


OUTSIDE = """
import os
import time

from roost import begin_run

if __name__ == "__main__":
    with begin_run(f"by {os.getpid()}") as run:
        run.step("work", 1, 1)
    time.sleep(600)
"""


def test_a_restored_program_reports_its_runs_with_a_token_of_its_own(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    request = InstallRequest(
        source=SourceKind.COMMAND,
        name="reports",
        kind=BundleKind.COMMAND,
        command=(sys.executable, write(tmp_path, "app.py", OUTSIDE)),
        settings=QUICK,
    )
    daemon.install(request)
    reported_by(daemon, daemon.pid_of("reports"))
    built(daemon, "reports")
    assert respawn(daemon, "reports") == "zygote"
    reported_by(daemon, daemon.pid_of("reports"))


def reported_by(daemon: RealDaemon, pid: int) -> None:
    """Wait until a process has reported a run from begin to end."""
    told = {"bundle": "reports", "title": f"by {pid}", "status": "succeeded"}.items()
    wait_for(
        lambda: daemon.wire.get("/v1/runs"),
        lambda runs: any(told <= run.items() for run in runs),
    )


def archive(folder: Path, version: str) -> str:
    """Write an MCPB archive of a server whose only tool is named for its version."""
    main = f"{MCP}\nif __name__ == '__main__':\n    serve({{'v{version[0]}': lambda _: 'yes'}})\n"
    path = write_archive(folder / f"{version}.mcpb", manifest(version=version), main=main.encode())
    return str(path)


def test_another_version_starts_cold_and_the_former_one_is_restored_again(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    first, second = (archive(tmp_path, version) for version in ("1.0.0", "2.0.0"))
    request = InstallRequest(SourceKind.MCPB, name="renewed", path=first, settings=QUICK)
    daemon.install(request)
    daemon.until("renewed", "running")
    built(daemon, "renewed")
    assert respawn(daemon, "renewed") == "zygote"
    upgrade = UpgradeRequest(InstallRequest(SourceKind.MCPB, name="renewed", path=second))
    outcome = daemon.post(f"{daemon.path('renewed')}/upgrade", upgrade)
    assert mode(daemon, "renewed") == "cold", outcome
    assert daemon.call("renewed", "v2") == "yes"
    view = snapshot(daemon, "renewed")
    assert (view["state"], view["reason"]["code"]) == ("stale", "version")
    daemon.post(f"{daemon.path('renewed')}/rollback")
    warm(daemon, "renewed")
    assert respawn(daemon, "renewed") == "zygote"
    assert daemon.call("renewed", "v1") == "yes"
    assert snapshot(daemon, "renewed")["state"] == "ready"
