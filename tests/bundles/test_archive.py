"""Archives come from anywhere: what is unsafe is refused by name and leaves nothing behind."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.bundle_files import entry, write_archive

from roost.bundles.archive import LIMITS, Limits, unpack
from roost.errors import BadArchive

LINK = stat.S_IFLNK | 0o777


def test_files_and_directories_come_out_with_plain_modes(tmp_path: Path) -> None:
    archive = write_archive(
        tmp_path / "a.mcpb",
        entries=(
            ("./lib/", b""),
            (entry("lib/tool", stat.S_IFREG | 0o6777), b"#!/bin/sh\n"),
            (entry("./lib/data", stat.S_IFREG | 0o600), b"x" * 100_000),
        ),
    )
    before = os.umask(0o077)
    try:
        read = unpack(archive, tmp_path / "out")
    finally:
        os.umask(before)
    assert len(read.sha256) == 64 and read.content_sha256 is None
    out = tmp_path / "out"
    assert (out / "lib" / "tool").stat().st_mode == stat.S_IFREG | 0o755
    assert (out / "lib" / "data").stat().st_mode == stat.S_IFREG | 0o644
    assert (out / "lib").stat().st_mode == stat.S_IFDIR | 0o755
    assert (out / "lib" / "data").read_bytes() == b"x" * 100_000


def test_a_signature_block_behind_the_zip_is_accepted(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.mcpb")
    block = b"\x30\x82" * 600
    with archive.open("ab") as file:
        file.write(b"MCPB_SIG_V1" + struct.pack("<L", len(block)) + block + b"MCPB_SIG_END")
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").is_file()


HOSTILE_ENTRIES: dict[str, tuple[zipfile.ZipInfo, ...]] = {
    "leads out": (entry("../evil"),),
    "leads out of the": (entry("a/../../evil"),),
    "absolute": (entry("/etc/evil"),),
    "absolute path": (entry("C:evil"),),
    "backslash": (entry("a\\..\\evil"),),
    "control character": (entry("a\x1b[2Jb"),),
    "is a link": (entry("lib/alias", LINK),),
    "device": (entry("dev", stat.S_IFCHR | 0o666),),
    "device, pipe": (entry("fifo", stat.S_IFIFO | 0o666),),
    "marked as a directory": (entry("dir", stat.S_IFDIR | 0o755),),
    "differs from": (entry("README"), entry("readme")),
    "only in case": (entry("Lib/a"), entry("lib/b")),
    "Unicode form": (entry("caf\u00e9"), entry("cafe\u0301")),
    "occurs twice": (entry("same"), entry("same")),
    "occurs twice; get": (entry("./same"), entry("same")),
    "both a file and a directory": (entry("thing"), entry("thing/inner")),
    "file and a directory": (entry("thing/inner"), entry("thing")),
    "directories deep": (entry("d/" * 41 + "f"),),
    "has no name": (entry("."),),
    "'' has no name": (entry(""),),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("problem", "entries"), HOSTILE_ENTRIES.items(), ids=HOSTILE_ENTRIES)
def test_a_hostile_entry_is_refused_by_name(
    tmp_path: Path, problem: str, entries: tuple[zipfile.ZipInfo, ...]
) -> None:
    archive = write_archive(
        tmp_path / "a.mcpb", entries=tuple((info, b"content") for info in entries)
    )
    with pytest.raises(BadArchive, match=problem) as caught:
        unpack(archive, tmp_path / "out")
    assert repr(entries[-1].filename) in caught.value.message
    assert os.listdir(tmp_path) == ["a.mcpb"]


def damaged(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return apply


def patched_entry(offset: int, value: bytes, *, both: bool = True) -> Callable[[Path], None]:
    """Overwrite a header field of the entry `victim`, at its offset in the central directory."""

    def change(data: bytes) -> bytes:
        central = data.rindex(b"PK\1\2", 0, data.rindex(b"victim"))
        changed = bytearray(data)
        changed[central + offset : central + offset + len(value)] = value
        if both:
            local = data.rindex(b"PK\3\4", 0, data.index(b"victim"))
            changed[local + offset - 2 : local + offset - 2 + len(value)] = value
        return bytes(changed)

    return damaged(change)


HOSTILE_FILES: dict[str, Callable[[Path], None]] = {
    "its entry 'victim' is encrypted": patched_entry(8, b"\1\0"),
    "method other": patched_entry(10, b"\x0e\0"),
    "claims to hold": patched_entry(24, struct.pack("<L", 5000)),
    "not a readable": patched_entry(24, struct.pack("<L", 50)),
    "not a readable MCPB": patched_entry(16, b"\0\0\0\0"),
    "differ": patched_entry(46, b"vactim", both=False),
    "File is not a zip file": damaged(lambda data: data[:-30]),
    "is not a readable": damaged(lambda data: data[: len(data) // 2]),
    "not a zip": damaged(lambda data: b""),
    "a zip file": damaged(lambda data: b"this is no archive" * 100),
    "table of contents": damaged(lambda data: data[:-10] + b"\xff\xff\xff\x7f" + data[-6:]),
}


@pytest.mark.parametrize(("problem", "damage"), HOSTILE_FILES.items(), ids=HOSTILE_FILES)
def test_a_damaged_archive_is_a_clear_refusal(
    tmp_path: Path, problem: str, damage: Callable[[Path], None]
) -> None:
    archive = write_archive(tmp_path / "a.mcpb", entries=((entry("victim"), b"v" * 1000),))
    damage(archive)
    with pytest.raises(BadArchive, match=problem):
        unpack(archive, tmp_path / "out")
    assert os.listdir(tmp_path) == ["a.mcpb"]


def test_a_name_that_hides_its_end_behind_a_nul_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.mcpb", entries=((entry("victim"), b"v"),))
    archive.write_bytes(archive.read_bytes().replace(b"victim", b"vict\0m"))
    with pytest.raises(BadArchive, match="control character"):
        unpack(archive, tmp_path / "out")
    assert os.listdir(tmp_path) == ["a.mcpb"]


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.mcpb", entries=(("zeros", b"\0" * 30_000_000),))
    with pytest.raises(BadArchive, match="200 times its size"):
        unpack(archive, tmp_path / "out")
    assert os.listdir(tmp_path) == ["a.mcpb"]


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.mcpb", entries=((entry("victim"), b"\0" * 3_000_000),))
    patched_entry(24, struct.pack("<L", 10))(archive)
    with pytest.raises(BadArchive):
        unpack(archive, tmp_path / "out")
    assert os.listdir(tmp_path) == ["a.mcpb"]


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        (replace(LIMITS, archive_bytes=100), "an archive may have"),
        (replace(LIMITS, unpacked_bytes=1000), "more than 1000 bytes"),
        (replace(LIMITS, entries=2), "has 3 entries"),
        (replace(LIMITS, ratio=2, ratio_from_bytes=2000), "2 times"),
        (replace(LIMITS, directory_bytes=60), "table of contents"),
    ],
)
def test_every_limit_holds(tmp_path: Path, limits: Limits, problem: str) -> None:
    archive = write_archive(tmp_path / "a.mcpb", entries=(("big", b"b" * 5000),))
    with pytest.raises(BadArchive, match=problem):
        unpack(archive, tmp_path / "out", limits)
    assert os.listdir(tmp_path) == ["a.mcpb"]


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadArchive, match="is not a file"):
        unpack(tmp_path / "pipe", tmp_path / "out")
    with pytest.raises(BadArchive, match="No such file"):
        unpack(tmp_path / "absent", tmp_path / "out")


def test_an_existing_directory_is_neither_used_nor_removed(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.mcpb")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").write_text("kept")
    with pytest.raises(BadArchive):
        unpack(archive, tmp_path / "out")
    assert os.listdir(tmp_path / "out") == ["kept"]


@pytest.fixture(scope="module")
def fuzz_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_damage_is_a_refusal_or_harmless(fuzz_dir: Path, data: st.DataObject) -> None:
    archive = write_archive(
        fuzz_dir / "a.mcpb", entries=((entry("victim"), b"v" * 50), ("dir/", b""))
    )
    content = bytearray(archive.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        size = data.draw(st.sampled_from([1, 2, 4]))
        content[at : at + size] = data.draw(st.binary(min_size=size, max_size=size))
    del content[data.draw(st.sampled_from([len(content), len(content) - 1, 200])) :]
    archive.write_bytes(content)
    out = fuzz_dir / "out"
    try:
        unpack(archive, out)
    except BadArchive:
        assert not out.exists()
        return
    for folder, folders, files in os.walk(out):
        for name in (*folders, *files):
            mode = os.lstat(os.path.join(folder, name)).st_mode
            assert stat.S_ISREG(mode) or stat.S_ISDIR(mode)
        for name in files:
            os.unlink(os.path.join(folder, name))
    for folder, _, _ in os.walk(out, topdown=False):
        os.rmdir(folder)
