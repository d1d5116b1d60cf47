"""Whether a program can be executed here, told from the file itself."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import sys
from pathlib import Path

import pytest

from roost.engine.why.elf import knows_foreign_formats, trouble_with_elf
from roost.engine.why.kills import kernel_kills
from roost.engine.why.programs import Found, examine
from roost.engine.why.steps import Trouble

PATH = os.environ["PATH"]

on_linux = pytest.mark.skipif(
    sys.platform != "linux" or knows_foreign_formats(), reason="formats are judged on Linux only"
)


def _script(path: Path, first: str, mode: int = 0o755) -> str:
    path.write_bytes(first.encode() + b"\n:\n")
    path.chmod(mode)
    return str(path)


def _told(found: Found | Trouble) -> str:
    assert isinstance(found, Trouble), found
    return f"{found.said}; {found.way_out}"


def test_a_program_on_the_path_is_found(tmp_path: Path) -> None:
    found = examine(sys.executable, PATH)
    assert isinstance(found, Found) and found.path == sys.executable
    assert isinstance(examine("sh", PATH), Found)


def test_a_program_that_is_on_no_path_names_where_was_looked_and_what_to_install() -> None:
    found = examine("npx", "/nowhere")
    assert "install Node.js" in _told(found)
    assert isinstance(found, Trouble) and found.evidence == ("PATH=/nowhere",)


@pytest.mark.parametrize(("name", "told"), [("uvx", "pip install uv"), ("python3.9", "Python 3.9")])
def test_what_brings_a_program_is_known_for_the_usual_ones(name: str, told: str) -> None:
    assert told in _told(examine(name, "/nowhere"))


def test_a_file_that_is_gone_and_one_that_may_not_be_executed_are_told_apart(
    tmp_path: Path,
) -> None:
    assert "there is no program" in _told(examine(str(tmp_path / "gone"), PATH))
    locked = _script(tmp_path / "locked", "#!/bin/sh", 0o644)
    assert f"chmod +x {locked}" in _told(examine(locked, PATH))
    assert "is a directory" in _told(examine(str(tmp_path), PATH))


def test_a_link_that_leads_nowhere_names_both_ends(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    told = _told(examine(str(tmp_path / "link"), PATH))
    assert str(tmp_path / "link") in told and str(tmp_path / "gone") in told


def test_a_script_is_run_by_its_interpreter(tmp_path: Path) -> None:
    shell = shutil.which("sh")
    by_path = examine(_script(tmp_path / "a", f"#!{shell}"), PATH)
    by_name = examine(_script(tmp_path / "b", "#!/usr/bin/env -S sh -e"), PATH)
    assert by_path == Found(str(tmp_path / "a"), shell)
    assert by_name == Found(str(tmp_path / "b"), shell)


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("#!/opt/none/python3", "is a script for /opt/none/python3, which is not there"),
        ("#!/usr/bin/env no-such-node", "is a script for no-such-node, which is not there"),
        ("#!/usr/bin/env python3\r", "ends in a carriage return"),
    ],
)
def test_a_script_whose_interpreter_is_missing_is_not_called_missing_itself(
    tmp_path: Path, first: str, told: str
) -> None:
    assert told in _told(examine(_script(tmp_path / "server", first), PATH))


@on_linux
def test_a_text_without_an_interpreter_line_is_no_program(tmp_path: Path) -> None:
    told = _told(examine(_script(tmp_path / "plain", "echo hello"), PATH))
    assert "neither a program of this machine nor a script" in told


def _elf(machine: int, *, loader: bytes = b"", is_64: bool = True) -> bytes:
    """Return the header of an ELF file of a machine, with a loader where one is named."""
    ident = b"\x7fELF" + bytes([2 if is_64 else 1, 1, 1]) + bytes(9)
    count = 1 if loader else 0
    if is_64:
        head = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
        table = struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(loader) + 1, 0, 1)
    else:
        head = struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, 0, 52, 0, 0, 52, 32, count, 0, 0, 0)
        table = struct.pack("<IIIIIIII", 3, 84, 0, 0, len(loader) + 1, 0, 4, 1)
    return (ident + head + (table + loader + b"\0" if loader else b"")).ljust(64, b"\0")


OWN = {"x86_64": 62, "aarch64": 183}.get(platform.machine())
FOREIGN = 183 if OWN == 62 else 62

known_machine = pytest.mark.skipif(OWN is None, reason="the machine's number is not known here")


@on_linux
@known_machine
def test_a_program_of_another_machine_is_named_with_both(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_bytes(_elf(FOREIGN))
    program.chmod(0o755)
    told = _told(examine(str(program), PATH))
    assert f"this machine is {platform.machine()}" in told


@known_machine
@pytest.mark.parametrize("is_64", [True, False])
def test_a_missing_loader_is_named(is_64: bool) -> None:
    assert OWN is not None
    machine = OWN if is_64 else {62: 3, 183: 40}[OWN]
    head = _elf(machine, loader=b"/lib/ld-none.so.1", is_64=is_64)
    found = trouble_with_elf("/srv/server", head)
    assert found is not None and "needs the loader /lib/ld-none.so.1" in found.said


@known_machine
def test_a_static_program_and_one_whose_table_lies_further_behind_are_left_to_the_kernel() -> None:
    assert OWN is not None
    assert trouble_with_elf("/srv/server", _elf(OWN)) is None
    moved = bytearray(_elf(OWN, loader=b"/lib/ld-none.so.1"))
    moved[32:40] = struct.pack("<Q", 10**9)
    assert trouble_with_elf("/srv/server", bytes(moved)) is None


def test_a_program_that_was_cut_off_is_damaged() -> None:
    found = trouble_with_elf("/srv/server", b"\x7fELF\x02\x01")
    assert found is not None and "cut off" in found.said


def _proc(tmp_path: Path, group: str, own: int, machine: int) -> tuple[Path, Path]:
    proc, groups = tmp_path / "proc", tmp_path / "groups"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(f"0::{group}\n")
    (proc / "vmstat").write_text(f"pgfault 5\noom_kill {machine}\n")
    own_group = groups / group.lstrip("/")
    own_group.mkdir(parents=True)
    (own_group / "memory.events").write_text(f"low 0\noom_kill {own}\n")
    return proc, groups


def test_the_kernels_kills_are_those_of_the_own_group_else_of_the_machine(tmp_path: Path) -> None:
    assert kernel_kills(*_proc(tmp_path / "a", "/roost.service", 3, 7)) == 3
    assert kernel_kills(*_proc(tmp_path / "b", "/", 0, 7)) == 7
    assert kernel_kills(tmp_path / "none", tmp_path / "none") == 0
