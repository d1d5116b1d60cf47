"""A corpus of hostile bundles: each is refused clearly, whether planned or installed.

Entries that are hostile by themselves are in `test_archive`; here the whole file is.
"""

from __future__ import annotations

import binascii
import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.bundle_files import entry, manifest, which, write_archive, write_folder

from roost.bundles import plan_bundle, read_bundle
from roost.errors import BadArchive, BadManifest, RoostError
from roost.models import InstallRequest, LaunchContext, SourceKind

END = b"PK\5\6"
CENTRAL = b"PK\1\2"

Corpus = dict[str, Callable[[], bytes]]


def good(
    *entries: tuple[Any, bytes], text: str | bytes | None = None, comment: bytes = b""
) -> bytes:
    """Return an archive that is good but for what is given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(manifest()) if text is None else text)
        archive.writestr("server/main.py", b"print('hello')\n")
        for info, content in entries:
            archive.writestr(info, content)
        archive.comment = comment
    return buffer.getvalue()


def ending(data: bytes, offset: int, form: str, value: int) -> bytes:
    """Overwrite a field of the end record."""
    changed = bytearray(data)
    struct.pack_into(form, changed, data.rindex(END) + offset, value)
    return bytes(changed)


def with_comment_that_is_an_archive() -> bytes:
    inner = good(("evil", b"x"))
    size = len(inner)
    outer = good(comment=b"x" * size)
    return outer[:-size] + inner


def with_second_ending() -> bytes:
    data = good()
    return data[:-2] + struct.pack("<H", 22) + data[data.rindex(END) :]


def with_zip64_ending(**lies: int) -> bytes:
    """Return an archive whose sizes stand in ZIP64 records, some of them lies."""
    data = good()
    at = data.rindex(END)
    count, size, start = struct.unpack_from("<HLL", data, at + 10)
    fields = {"count": count, "size": size, "start": start, "locator": at} | lies
    record = struct.pack(
        "<4sQHHLLQQQQ",
        *(b"PK\6\6", 44, 45, 45, 0, 0, fields["count"], fields["count"]),
        *(fields["size"], fields["start"]),
    )
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, fields["locator"], 1)
    end = struct.pack("<4sHHHHLLH", END, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[:at] + record + locator + end


def with_overlapping_entries() -> bytes:
    """Return a bomb whose entries all are one and the same stretch of the file."""
    data = good((entry("zeros-0"), b"\0" * 400_000))
    at = data.rindex(END)
    count, size, start = struct.unpack_from("<HLL", data, at + 10)
    listed = data[start:at]
    last = listed[listed.rindex(CENTRAL) :]
    copies = b"".join(last.replace(b"zeros-0", b"zeros-%x" % n) for n in range(1, 16))
    end = struct.pack("<4sHHHHLLH", END, 0, 0, count + 15, count + 15, size + len(copies), start, 0)
    return data[:at] + copies + end


def with_another_name_in_an_extra_field() -> bytes:
    plain, other = b"plain.txt", b"../../outside"
    extra = struct.pack("<HHBL", 0x7075, 5 + len(other), 1, binascii.crc32(plain)) + other
    info = entry(plain.decode())
    info.extra = extra
    return good((info, b"x"))


FILES: Corpus = {
    "empty": lambda: b"",
    "text": lambda: b"#!/bin/sh\nexit 0\n",
    "script before the archive": lambda: b"#!/bin/sh\nexec evil\n" + good(),
    "archive behind another": lambda: good() + good(("evil", b"x")),
    "an archive as the comment": with_comment_that_is_an_archive,
    "two end records": with_second_ending,
    "end record cut": lambda: good()[:-1],
    "no central directory": lambda: (d := good())[: d.index(CENTRAL)] + d[d.rindex(END) :],
    "central directory twice": lambda: (
        (d := good())[: d.rindex(END)] + d[d.index(CENTRAL) : d.rindex(END)] + d[d.rindex(END) :]
    ),
    "directory offset lies": lambda: ending(good(), 16, "<L", 7),
    "directory size lies": lambda: ending(good(), 12, "<L", 2**31),
    "several disks": lambda: ending(good(), 4, "<H", 3).replace(CENTRAL, b"PK\1\3"),
    "zip64 counts lie": lambda: with_zip64_ending(count=2**40, size=2**60),
    "zip64 start lies": lambda: with_zip64_ending(start=2**62),
    "zip64 directory is huge": lambda: with_zip64_ending(size=2**33),
    "entries that share their bytes": with_overlapping_entries,
    "more bytes behind it": lambda: good() + b"\0" * 70_000,
    "signature without an archive": lambda: b"MCPB_SIG_V1\0\0\0\0MCPB_SIG_END",
    "signature cut": lambda: good()[:-22] + b"MCPB_SIG_V1\0\0\0\0MCPB_SIG_END",
    "bomb of many files": lambda: good(
        *((entry(f"zeros-{n}"), b"\0" * 2_000_000) for n in range(12))
    ),
    "name ends in a dot": lambda: good((entry("server/lib."), b"x")),
    "name ends in a space": lambda: good((entry("server /lib"), b"x")),
    "name is three dots": lambda: good((entry(".../lib"), b"x")),
    "name of 256 bytes": lambda: good((entry("é" * 128), b"x")),
    "name of 60 000 bytes": lambda: good((entry("n" * 60_000), b"x")),
}

MANIFESTS: Corpus = {
    "nothing in it": lambda: END + b"\0" * 18,
    "a directory": lambda: _without_manifest(("manifest.json/", b"")),
    "missing": lambda: _without_manifest(),
    "not at the top": lambda: _without_manifest(("bundle/manifest.json", b"{}")),
    "too large": lambda: good(text='{"a": "' + os.urandom(5 * 2**20).hex() + '"}'),
    "nested too deep": lambda: good(text="[" * 100_000 + "]" * 100_000),
    "one key twice": lambda: good(text='{"name": "a", "name": "b"}'),
    "not UTF-8": lambda: good(text=b'{"name": "\xff"}'),
    "UTF-16": lambda: good(text=json.dumps(manifest()).encode("utf-16")),
    "a list": lambda: good(text="[]"),
    "not a number": lambda: good(text='{"a": NaN}'),
    "a number without end": lambda: good(text='{"a": ' + "9" * 5000 + "}"),
    "half": lambda: good(text=json.dumps(manifest())[:-20]),
    "a lone surrogate": lambda: good(text=json.dumps(manifest(description="\ud800"))),
    "a version that climbs": lambda: good(text=json.dumps(manifest(version="../../../x"))),
    "a version without end": lambda: good(text=json.dumps(manifest(version="1" * 5000))),
}


def _without_manifest(*entries: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("server/main.py", b"")
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def _context(name: str) -> LaunchContext:
    return LaunchContext(home="/home/me", state_dir="/state", base_env={})


def read(root: Path, path: Path, *, only_plan: bool) -> None:
    """Plan or install what lies at a path."""
    request = InstallRequest(SourceKind.MCPB, path=str(path))
    place: dict[str, Any] = {
        "workspace": "team",
        "bundles_dir": root / "bundles",
        "python": "/opt/python",
        "which": which,
    }
    if only_plan:
        plan_bundle(request, context=_context, **place)
    else:
        read_bundle(request, **place)


def check_refused(root: Path, data: bytes, error: type[RoostError]) -> None:
    path = root / "a.mcpb"
    path.write_bytes(data)
    for only_plan in (True, False):
        with pytest.raises(error) as refusal:
            read(root, path, only_plan=only_plan)
        assert len(refusal.value.message) < 1000 and refusal.value.message.isprintable()
        assert list((root / "bundles").rglob("*")) == []
    assert sorted(os.listdir(root)) == ["a.mcpb", "bundles"]


@pytest.mark.parametrize("make", FILES.values(), ids=FILES)
def test_a_hostile_file_is_refused_and_leaves_nothing(
    tmp_path: Path, make: Callable[[], bytes]
) -> None:
    check_refused(tmp_path, make(), BadArchive)


@pytest.mark.parametrize("make", MANIFESTS.values(), ids=MANIFESTS)
def test_a_hostile_manifest_is_refused_and_leaves_nothing(
    tmp_path: Path, make: Callable[[], bytes]
) -> None:
    check_refused(tmp_path, make(), BadManifest)


def test_another_name_in_an_extra_field_leads_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.mcpb"
    path.parent.mkdir()
    path.write_bytes(with_another_name_in_an_extra_field())
    try:
        read(tmp_path / "deep", path, only_plan=False)
    except BadArchive as refusal:
        assert "leads out" in refusal.message
    assert [found.name for found in tmp_path.rglob("outside")] == []


def test_a_comment_and_a_good_zip64_archive_are_accepted(tmp_path: Path) -> None:
    for data in (good(comment=b"made by hand"), with_zip64_ending()):
        (tmp_path / "a.mcpb").write_bytes(data)
        read(tmp_path, tmp_path / "a.mcpb", only_plan=True)


@pytest.fixture(scope="module")
def fuzz_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(
    cut=st.integers(0, 400),
    at=st.integers(0, 1200),
    noise=st.binary(max_size=40),
    tail=st.binary(max_size=60),
)
def test_any_mutation_ends_in_an_install_or_a_documented_refusal(
    fuzz_dir: Path, cut: int, at: int, noise: bytes, tail: bytes
) -> None:
    data = good(("more/file", b"content" * 20))
    at = min(at, len(data))
    path = fuzz_dir / "a.mcpb"
    path.write_bytes(data[:at] + noise + data[at + len(noise) : len(data) - cut % len(data)] + tail)
    with suppress(BadArchive, BadManifest):
        read(fuzz_dir, path, only_plan=True)
    assert list((fuzz_dir / "bundles").rglob("*")) == []


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@quick
@given(text=st.one_of(st.binary(max_size=200), json_values.map(lambda v: json.dumps(v).encode())))
def test_any_text_as_a_manifest_is_a_documented_refusal(fuzz_dir: Path, text: bytes) -> None:
    path = write_archive(fuzz_dir / "b.mcpb")
    path.write_bytes(good(text=text))
    with pytest.raises(BadManifest):
        read(fuzz_dir, path, only_plan=True)
    assert list((fuzz_dir / "bundles").rglob("*")) == []


def test_a_folder_that_changes_into_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder")
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").symlink_to("/etc/passwd")
    with pytest.raises(BadArchive, match="leads out"):
        read(tmp_path, folder, only_plan=False)
