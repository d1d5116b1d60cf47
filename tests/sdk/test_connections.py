"""Connections that are kept between requests, and what ends them."""

import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field

import pytest
from tests.sdk.fake_daemon import FakeDaemon

from roost import begin_run
from roost.sdk import connections
from roost.sdk.place import Place
from roost.sdk.post import Line, Post, Unheard

FORKS = """
import os
from roost.sdk.place import find_place
from roost.sdk.post import Post

post = Post(find_place("default"))
begin = lambda key: post.begin({"title": key, "idempotency_key": key})["run"]["id"]
assert begin("before") == "run-1"
child = os.fork()
if child == 0:
    os._exit(begin("child") != "run-2")
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert begin("after") == "run-3"
"""


def post_to(daemon: FakeDaemon) -> Post:
    return Post(Place(daemon.socket_path, "default"))


def begin(post: Post, key: str | None = None, line: Line | None = None) -> str:
    lease = post.send("/runs", {"title": "t", "idempotency_key": key}, line=line)
    return str(lease["run"]["id"])


def verbs(daemon: FakeDaemon) -> list[str]:
    return [verb for verb, _ in daemon.asked]


def test_a_block_of_work_uses_one_connection(daemon: FakeDaemon) -> None:
    with begin_run("report") as run:
        run.step("one")
        daemon.until(lambda: len(daemon.told) == 1)
        run.step("two")
    assert len(daemon.told) == 2 and verbs(daemon)[-1] == "finish"
    assert daemon.connections == 1


def test_requests_at_once_have_a_connection_each(daemon: FakeDaemon) -> None:
    post, daemon.hold = post_to(daemon), threading.Event()
    threads = [threading.Thread(target=begin, args=(post,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    daemon.until(lambda: daemon.holding == 3)
    daemon.hold.set()
    for thread in threads:
        thread.join()
    assert daemon.connections == 3 and len(daemon.runs) == 3
    begin(post)
    assert daemon.connections == 3


def test_one_that_the_daemon_has_closed_is_seen_before_anything_is_sent(
    daemon: FakeDaemon,
) -> None:
    post = post_to(daemon)
    begin(post)
    daemon.cut()
    daemon.until(lambda: not daemon.open_connections)
    begin(post)
    assert verbs(daemon) == ["runs", "runs"] and daemon.connections == 2


def test_a_daemon_that_restarts_between_two_reports_has_each_once(daemon: FakeDaemon) -> None:
    with begin_run("report") as run:
        run.step("one")
        daemon.until(lambda: len(daemon.told) == 1)
        daemon.stop()
        run.step("two")
        daemon.start()
        daemon.until(lambda: len(daemon.told) == 2)
        run.step("three")
    assert [what for _, what in daemon.told] == ["one", "two", "three"]
    assert daemon.run["status"] == "succeeded"


@pytest.mark.parametrize("fault", ["lost", "unanswered"])
def test_a_kept_connection_that_breaks_under_a_report_tells_it_once(
    daemon: FakeDaemon, fault: str
) -> None:
    with begin_run("report") as run:
        run.step("one")
        daemon.until(lambda: len(daemon.told) == 1)
        daemon.faults.append(fault)
        run.step("two")
    assert [what for _, what in daemon.told] == ["one", "two"]


def test_a_request_that_breaks_may_have_arrived_on_a_kept_connection_too(
    daemon: FakeDaemon,
) -> None:
    post = post_to(daemon)
    begin(post)
    daemon.faults.append("unanswered")
    with pytest.raises(Unheard) as caught:
        begin(post)
    assert caught.value.may_have_arrived and len(daemon.runs) == 2
    daemon.stop()
    with pytest.raises(Unheard) as caught:
        begin(post)
    assert not caught.value.may_have_arrived


def test_one_that_was_idle_for_long_is_closed(
    daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "KEPT_S", 0.0)
    post = post_to(daemon)
    begin(post)
    daemon.until(lambda: not daemon.open_connections)
    begin(post)
    assert daemon.connections == 2


def test_a_cut_that_comes_after_its_answer_ends_no_other_request(daemon: FakeDaemon) -> None:
    post, line = post_to(daemon), Line()
    begin(post, line=line)
    line.cut()
    begin(post)
    assert daemon.connections == 1


def test_a_cut_ends_the_request_under_way(daemon: FakeDaemon) -> None:
    post, line, daemon.hold = post_to(daemon), Line(), threading.Event()
    begin_cut = Caught(post, line)
    daemon.until(lambda: daemon.holding == 1)
    line.cut()
    begin_cut.thread.join()
    daemon.hold.set()
    assert isinstance(begin_cut.error, Unheard)
    begin(post)
    assert daemon.connections == 2


@dataclass
class Caught:
    """A begin in a thread of its own, and what it raised."""

    post: Post
    line: Line
    error: Unheard | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._begin)
        self.thread.start()

    def _begin(self) -> None:
        try:
            begin(self.post, line=self.line)
        except Unheard as error:
            self.error = error


def test_a_forked_child_makes_connections_of_its_own(daemon: FakeDaemon) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKS],
        env=os.environ | {"ROOST_DATA_DIR": daemon.data_dir},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    titles = [run["begun"]["title"] for run in daemon.runs.values()]
    assert titles == ["before", "child", "after"]
    assert daemon.connections == 2
