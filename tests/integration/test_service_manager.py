"""The daemon under a service manager: what it says, and when."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.real_daemon import processes_with
from tests.support.service_manager import service_manager

from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind, codec

PRIVATE = ("NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=", "JOURNAL_STREAM=")
"""What a service manager tells the daemon alone."""


def test_ready_is_said_once_the_api_answers_and_stopping_at_the_first_signal() -> None:
    with service_manager() as manager:
        before = manager.hear("READY=1")
        status = manager.wire.get("/v1/status")  # at once: nobody has to wait for it any more
        assert status["pid"] == manager.process.pid
        assert before.count("READY=1") == 1
        assert "STOPPING=1" not in before and "WATCHDOG=1" not in before
        assert manager.terminate() == 0
        heard = manager.hear("STOPPING=1")
        assert heard.count("READY=1") == 1
        assert "Traceback" not in manager.told()


def test_signs_of_life_come_when_they_are_asked_for() -> None:
    with service_manager(WATCHDOG_USEC="400000") as manager:
        heard = manager.hear("WATCHDOG=1", times=3)
        # A slow start may give one before it is ready; the manager counts from then on.
        assert "WATCHDOG=1" in heard[heard.index("READY=1") :]
        assert "before the app is ready" not in manager.told()


def test_no_sign_of_life_is_given_that_another_process_was_asked_for() -> None:
    with service_manager(WATCHDOG_USEC="2000", WATCHDOG_PID="1") as manager:
        manager.hear("READY=1")
        assert manager.terminate() == 0
        assert "WATCHDOG=1" not in manager.hear("STOPPING=1")


def test_no_child_learns_how_to_speak_for_the_daemon() -> None:
    journal = f"{os.getpid()}:1"
    with service_manager(WATCHDOG_USEC="60000000", JOURNAL_STREAM=journal) as manager:
        manager.hear("READY=1")
        request = InstallRequest(
            source=SourceKind.COMMAND,
            name="app",
            kind=BundleKind.COMMAND,
            command=("/bin/sleep", "1000"),
            settings=BundleSettings(settle_s=0.1, stop_grace_s=0.5),
        )
        manager.wire.send("POST", "/v1/workspaces", codec.to_json({"id": "w", "label": "w"}))
        path = "/v1/workspaces/w/bundles"
        manager.wire.send("POST", path, codec.to_json(request))
        manager.wire.send("POST", f"{path}/app/start", b"{}")
        pid = manager.wire.get(f"{path}/app")["view"]["generation"]["pid"]
        seen = Path(f"/proc/{pid}/environ").read_bytes().decode()
        assert "PATH=" in seen
        assert not [name for name in PRIVATE if name in seen]
        assert processes_with(str(manager.data_dir.parent / "notify.sock")) == [manager.process.pid]
