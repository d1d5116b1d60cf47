from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from tests.support.processes import BOUND_S, SLEEP
from tests.support.real_daemon import wait_for

from roost.drivers import proctable
from roost.drivers.proctable import Identity, ProcessTable, ProcSource, find_mark
from roost.drivers.pstable import PsSource, _seconds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    env = {"ROOST_MARK": "data-1/gen-1"}
    with subprocess.Popen(SLEEP, env=env, start_new_session=True) as child:
        # The kernel shows an environment only a moment after the program has begun.
        wait_for(lambda: child.pid in ProcessTable().read().marks, bool)
        yield child
        child.kill()


def identity_of(child: subprocess.Popen[bytes]) -> Identity:
    identity = ProcessTable().identify(child.pid)
    assert identity is not None
    return identity


def test_an_entry_tells_parent_group_session_and_mark(sleeper: subprocess.Popen[bytes]) -> None:
    snapshot = ProcessTable().read()
    entry = snapshot.entries[sleeper.pid]
    assert (entry.ppid, entry.pgid, entry.sid) == (os.getpid(), sleeper.pid, sleeper.pid)
    assert entry.is_alive and not entry.is_stopped and entry.rss_bytes > 0
    assert snapshot.marks[sleeper.pid] == "data-1/gen-1"
    assert os.getpid() not in snapshot.marks


def test_an_identity_survives_json(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper)
    text = json.dumps(identity._asdict())
    assert Identity.from_values(json.loads(text)) == identity


@pytest.mark.parametrize("values", [None, [], 7, {}, {"pid": 1}, {"pid": [], "start": 1}])
def test_what_is_no_identity_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match="not an identity"):
        Identity.from_values(values)


def test_the_right_process_is_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    assert ProcessTable().signal(identity_of(sleeper), signal.SIGTERM)
    assert sleeper.wait(BOUND_S) == -signal.SIGTERM


@pytest.mark.parametrize("has_pidfd", [True, False])
@pytest.mark.parametrize("change", [{"start": 1}, {"boot": "another boot"}])
def test_a_recycled_pid_is_never_signalled(
    sleeper: subprocess.Popen[bytes],
    change: dict[str, object],
    has_pidfd: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not has_pidfd:
        monkeypatch.setattr(os, "pidfd_open", refuse_pidfd)
    foreign = Identity.from_values(identity_of(sleeper)._asdict() | change)
    assert not ProcessTable().signal(foreign, signal.SIGKILL)
    assert sleeper.poll() is None
    assert ProcessTable().signal(identity_of(sleeper), signal.SIGKILL)
    assert sleeper.wait(BOUND_S) == -signal.SIGKILL


def refuse_pidfd(pid: int) -> int:
    raise OSError(errno.ENOSYS, "no such system call")


def test_a_pid_that_is_recycled_while_it_is_looked_up_is_not_signalled(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = identity_of(sleeper)
    table = ProcessTable()
    # The pid passes to somebody else between the descriptor and the look at the start time.
    monkeypatch.setattr(table, "identify", lambda pid: expected._replace(start=expected.start + 1))
    assert not table.signal(expected, signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_zombie_is_not_alive_but_keeps_its_identity(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not ProcessTable().read().entries[sleeper.pid].is_alive
    assert ProcessTable().holds(identity)
    sleeper.wait(BOUND_S)
    assert not ProcessTable().holds(identity)
    assert not ProcessTable().signal(identity, signal.SIGKILL)


def test_a_name_with_parentheses_does_not_shift_the_fields() -> None:
    fields = b"S 1 20 30 0 -1 0 0 0 0 0 100 50 0 0 20 0 3 0 4711 0 2 0"
    entry = ProcSource()._parse(9, b"9 (a) Z (b)) " + fields)
    assert (entry.ppid, entry.pgid, entry.sid, entry.start) == (1, 20, 30, 4711)
    assert entry.cpu_s == pytest.approx(150 / os.sysconf("SC_CLK_TCK"))


def test_polling_callers_share_a_scan_and_a_fresh_look_does_not() -> None:
    table = ProcessTable()
    first = table.read()
    assert table.read(60) is first
    assert table.read() is not first


def test_a_mark_is_kept_when_the_process_loses_its_environment(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = ProcessTable()
    assert sleeper.pid in table.read().marks
    monkeypatch.setattr(proctable, "_read_bytes", hide_environment(proctable._read_bytes))
    assert table.read().marks[sleeper.pid] == "data-1/gen-1"
    assert sleeper.pid not in ProcessTable().read().marks


def hide_environment(read: Callable[[str], bytes]) -> Callable[[str], bytes]:
    return lambda path: b"" if path.endswith("/environ") else read(path)


def test_a_young_process_without_a_mark_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proctable, "SETTLED_AGE_S", BOUND_S)  # however slow this machine is
    with subprocess.Popen(SLEEP, env={}) as child:
        entry = ProcessTable().read().entries[child.pid]
        assert ProcSource().marks([entry]) == {}
        assert ProcSource().marks([entry._replace(start=1)]) == {child.pid: None}
        child.kill()


def test_the_mark_is_found_by_its_whole_name() -> None:
    assert find_mark([b"XROOST_MARK=a", b"ROOST_MARKS=b", b"ROOST_MARK=c/d"]) == "c/d"
    assert find_mark([b"PATH=/bin"]) is None


@pytest.mark.skipif(shutil.which("ps", path="/bin") is None, reason="there is no ps")
def test_ps_tells_the_same_as_proc(sleeper: subprocess.Popen[bytes]) -> None:
    told = PsSource().entry(sleeper.pid)
    entry = ProcSource().entry(sleeper.pid)
    assert told is not None and entry is not None
    assert (told.ppid, told.pgid, told.is_alive) == (entry.ppid, entry.pgid, True)
    assert PsSource().entries()[sleeper.pid].start == told.start
    assert PsSource().marks([told]) == {sleeper.pid: "data-1/gen-1"}
    sleeper.kill()
    sleeper.wait(BOUND_S)
    assert PsSource().entry(sleeper.pid) is None


@pytest.mark.parametrize(
    ("used", "seconds"), [("0:01.50", 1.5), ("00:02:03", 123), ("2-01:00:00", 176400)]
)
def test_processor_times_of_ps_are_read(used: str, seconds: float) -> None:
    assert _seconds(used) == seconds


def test_a_process_that_waits_or_has_ended_is_at_rest_and_one_that_works_is_not(
    sleeper: subprocess.Popen[bytes],
) -> None:
    table = ProcessTable()
    wait_for(lambda: table.is_at_rest(sleeper.pid), bool)
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as worker:
        try:
            wait_for(lambda: table.is_at_rest(worker.pid), lambda rests: not rests)
        finally:
            worker.kill()
    wait_for(lambda: table.is_at_rest(worker.pid), bool)
