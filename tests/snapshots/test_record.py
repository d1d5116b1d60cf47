from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.snapshot_keys import BundleOnDisk

from roost.models import Reason
from roost.models.snapshot import SnapshotPhase, SnapshotState
from roost.snapshots import record
from roost.snapshots.backend import FORMAT
from roost.snapshots.record import Attempt, Kept, RecordStore

FAILED = Attempt(
    SnapshotState.FAILED,
    Reason("template_failed", "it ended"),
    1_700_000_000_000,
    SnapshotPhase.TRACE,
)


@pytest.fixture
def bundle(tmp_path: Path) -> BundleOnDisk:
    return BundleOnDisk(tmp_path / "bundle").make()


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(str(tmp_path / "data" / "snapshots"))


@pytest.fixture
def kept(bundle: BundleOnDisk) -> Kept:
    made = bundle.made()
    return Kept("default", "time", made, FAILED, made.key.digest)


def file_of(tmp_path: Path) -> Path:
    return tmp_path / "data" / "snapshots" / "default" / "time" / "record.json"


def why_none(store: RecordStore) -> str:
    found = store.load("default", "time")
    assert isinstance(found, Reason), found
    assert found.code == "no_record"
    return found.sentence


def test_a_record_comes_back_as_it_was_written(store: RecordStore, kept: Kept) -> None:
    assert store.load("default", "time") is None
    store.save(kept)
    assert store.load("default", "time") == kept
    assert store.all() == (("default", "time"),)


def test_nobody_else_may_read_it(tmp_path: Path, store: RecordStore, kept: Kept) -> None:
    before = os.umask(0)
    try:
        store.save(kept)
        store.digest_key()
    finally:
        os.umask(before)
    root = tmp_path / "data" / "snapshots"
    for path in (root, *root.rglob("*")):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_a_write_that_fails_leaves_the_earlier_record(
    tmp_path: Path, store: RecordStore, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(kept)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.save(replace(kept, made=None))
    assert store.load("default", "time") == kept
    assert os.listdir(file_of(tmp_path).parent) == ["record.json"]


@pytest.mark.parametrize(
    "damaged",
    [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"format": 1}', b'{"format": "1"}', b"null"],
)
def test_a_damaged_file_is_no_record(
    tmp_path: Path, store: RecordStore, kept: Kept, damaged: bytes
) -> None:
    store.save(kept)
    file_of(tmp_path).write_bytes(damaged)
    sentence = why_none(store)
    assert "build the snapshot again" in sentence


def test_another_format_is_told_as_such(tmp_path: Path, store: RecordStore, kept: Kept) -> None:
    store.save(kept)
    content = json.loads(file_of(tmp_path).read_bytes())
    file_of(tmp_path).write_text(json.dumps(content | {"format": FORMAT + 1, "made": "of cheese"}))
    assert "another version of Roost" in why_none(store)


def test_a_record_that_somebody_edited_is_none(
    tmp_path: Path, store: RecordStore, kept: Kept
) -> None:
    store.save(kept)
    content = json.loads(file_of(tmp_path).read_bytes())
    content["made"]["key"]["entry"]["interpreter"] = "/tmp/evil"
    file_of(tmp_path).write_text(json.dumps(content))
    assert "damaged" in why_none(store)


def test_the_record_of_another_bundle_is_none(
    tmp_path: Path, store: RecordStore, kept: Kept
) -> None:
    store.save(replace(kept, name="fetch"))
    file_of(tmp_path).parent.parent.joinpath("fetch").rename(file_of(tmp_path).parent)
    assert "another bundle" in why_none(store)


def test_a_file_that_others_may_write_or_that_is_a_link_is_none(
    tmp_path: Path, store: RecordStore, kept: Kept
) -> None:
    store.save(kept)
    path = file_of(tmp_path)
    path.chmod(0o666)
    assert "others may write it" in why_none(store)
    path.chmod(0o600)
    assert store.load("default", "time") == kept
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))
    why_none(store)
    path.unlink()
    os.mkfifo(path)
    why_none(store)


def test_a_file_past_the_bound_is_not_read(
    tmp_path: Path, store: RecordStore, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(kept)
    monkeypatch.setattr(record, "LARGEST_BYTES", 100)
    assert "too large" in why_none(store)


@pytest.mark.parametrize("name", ["..", "a/b", "", "A"])
def test_what_is_no_name_makes_no_path(store: RecordStore, kept: Kept, name: str) -> None:
    with pytest.raises(ValueError, match="no names"):
        store.save(replace(kept, name=name))


def test_the_key_of_the_digests_stays_the_same(tmp_path: Path, store: RecordStore) -> None:
    key = store.digest_key()
    assert len(key) == 32
    assert store.digest_key() == key
    (tmp_path / "data" / "snapshots" / "digest-key").write_bytes(b"short")
    assert store.digest_key() != key


def test_records_of_bundles_and_versions_that_are_gone_are_removed(
    tmp_path: Path, store: RecordStore, kept: Kept
) -> None:
    for workspace, name in (("default", "time"), ("default", "gone"), ("lab", "time")):
        store.save(replace(kept, workspace=workspace, name=name))
    store.save(replace(kept, name="old"))
    store.save(replace(kept, name="refused", made=None, digest=""))
    versions = {
        ("default", "time"): frozenset({"1.0", "2.0"}),
        ("default", "old"): frozenset({"2.0"}),
        ("default", "refused"): frozenset({"2.0"}),
    }
    assert store.prune(versions) == 3
    assert store.all() == (("default", "refused"), ("default", "time"))
    assert not (tmp_path / "data" / "snapshots" / "lab").exists()


def test_removing_a_record_that_is_not_there_is_no_error(store: RecordStore, kept: Kept) -> None:
    store.remove("default", "time")
    store.save(kept)
    store.remove("default", "time")
    assert store.all() == ()


def test_no_credential_and_no_value_is_in_the_file(
    tmp_path: Path, store: RecordStore, kept: Kept
) -> None:
    store.save(kept)
    text = file_of(tmp_path).read_text()
    for value in ("s3cret-value", "C.UTF-8", "quiet-level"):
        assert value not in text
