"""What operators get wrong, twice or all at once, on a real daemon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.support.bundle_files import write_archive
from tests.support.real_daemon import RealDaemon, holders, real_daemon

from roost.errors import AlreadyExists, BadInput, BundleNotFound, BundleProtected
from roost.models import BundleSettings, InstallRequest, SourceKind

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("mistakes")]

SECRET = "tell-nobody-9f8e7d6c"


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with real_daemon("w", "races", "loops") as started:
        yield started


def archive(directory: Path, name: str, content: bytes) -> InstallRequest:
    path = write_archive(directory / f"{name}.mcpb", entries=(("content.txt", content),))
    return InstallRequest(SourceKind.MCPB, path=str(path), name="same", start=False)


def at_once(*work: Any) -> list[Any]:
    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result() for future in [pool.submit(task) for task in work]]


def installs(daemon: RealDaemon, request: InstallRequest, workspace: str) -> bool:
    try:
        daemon.install(request, workspace)
    except AlreadyExists:
        return False
    return True


def test_of_installs_of_one_name_one_wins_and_the_others_leave_nothing(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    requests = [archive(tmp_path, str(number), bytes([number])) for number in range(6)]
    won = at_once(
        *(lambda request=request: installs(daemon, request, "races") for request in requests)
    )
    assert won.count(True) == 1
    root = Path(daemon.detail("same", "races")["definition"]["root"])
    assert (root / "content.txt").read_bytes() == bytes([won.index(True)])
    assert os.listdir(root.parent) == [root.name]
    daemon.wire.send("DELETE", daemon.path("same", "races"))
    assert list((daemon.data_dir / "bundles").rglob("*")) == []


def test_a_removal_never_takes_the_files_of_the_next_install(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    request = archive(tmp_path, "loop", b"x")
    missing: list[str] = []

    def install() -> None:
        for _ in range(12):
            if installs(daemon, request, "loops"):
                check()

    def check() -> None:
        try:
            root = daemon.detail("same", "loops")["definition"]["root"]
            if Path(root).is_dir() or daemon.detail("same", "loops")["definition"]["root"] != root:
                return
            missing.append(root)
        except BundleNotFound:
            return

    def remove() -> None:
        for _ in range(30):
            try:
                daemon.wire.send("DELETE", daemon.path("same", "loops"))
            except BundleNotFound:
                continue

    at_once(install, install, remove, remove)
    assert missing == []


def test_a_reason_is_one_bounded_line_without_secrets_and_an_empty_one_is_none(
    daemon: RealDaemon,
) -> None:
    settings = BundleSettings(protected=True, stop_grace_s=1)
    daemon.install_mini("guarded", env={"API_KEY": "before-it-changes"}, settings=settings)
    daemon.until("guarded", "running")
    for blank in ("", " \n\t"):
        with pytest.raises(BundleProtected):
            daemon.post(f"{daemon.path('guarded')}/stop", {"reason": blank})
        refused = daemon.post(f"{daemon.path('guarded')}/respawn", {"reason": blank})
        assert refused["code"] == "protected"
    write = f'{{"set": {{"API_KEY": "{SECRET}"}}, "reason": "now {SECRET}"}}'
    daemon.wire.send("PATCH", f"{daemon.path('guarded')}/credentials", write.encode())
    long = f"late\nat \x1b[31mnight {SECRET} " + "z" * 5000
    daemon.post(f"{daemon.path('guarded')}/stop", {"reason": long})
    reason = daemon.view("guarded")["reason"]["sentence"]
    assert reason.startswith("late at [31mnight [secret] zz") and len(reason) == 500
    assert holders(daemon.data_dir, {"raw": SECRET.encode()}) == []


def test_a_write_that_changes_nothing_cuts_nothing(daemon: RealDaemon) -> None:
    daemon.install_mini("quiet", env={"API_KEY": "stays-as-it-is"})
    pid = daemon.pid_of("quiet")
    outcome = daemon.set("quiet")
    assert outcome["respawn"] is None and outcome["changed"] == []
    assert outcome["sentence"] == "no field was changed; revision 1 stands"
    assert daemon.pid_of("quiet") == pid


def test_a_label_is_one_bounded_line(daemon: RealDaemon) -> None:
    made = daemon.wire.send("POST", "/v1/workspaces", b'{"id": "lines", "label": "a\\nb\\u001b"}')
    assert made["label"] == "a b"
    with pytest.raises(BadInput, match="shorten it"):
        daemon.post("/v1/workspaces", {"id": "long", "label": "x" * 201})
    assert "long" not in {view["id"] for view in daemon.wire.get("/v1/workspaces")}


def test_a_place_in_the_way_of_a_state_directory_is_a_sentence(daemon: RealDaemon) -> None:
    (daemon.data_dir / "state" / "w").mkdir(parents=True, exist_ok=True)
    (daemon.data_dir / "state" / "w" / "blocked").write_text("in the way")
    daemon.install_mini("blocked", start=False)
    result = daemon.post(f"{daemon.path('blocked')}/start")
    assert not result["ok"] and "cannot be made (File exists)" in result["sentence"]
