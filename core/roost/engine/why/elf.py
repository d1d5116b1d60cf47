"""What the headers of an ELF file tell about where it can be executed."""

from __future__ import annotations

import os
import platform
import struct

from roost.engine.why.steps import Trouble

ELF = b"\x7fELF"

_HEADER_BYTES = 64

_MACHINES = {
    "x86_64": (62, 3),
    "aarch64": (183, 40),
    "i686": (3,),
    "armv7l": (40,),
    "riscv64": (243,),
    "ppc64le": (21,),
    "s390x": (22,),
}
"""ELF machine numbers that a kernel of this machine executes: its own, and its 32-bit one."""

_MACHINE_NAMES = {3: "i386", 21: "ppc64", 22: "s390", 40: "arm", 62: "x86-64", 183: "arm64"}

_FOREIGN_FORMATS = "/proc/sys/fs/binfmt_misc"

_LOADER = 3
"""Type of the program header that names the loader."""


def knows_foreign_formats() -> bool:
    """Say whether the kernel was taught other machines' formats, so that headers prove nothing."""
    try:
        return any(name not in ("register", "status") for name in os.listdir(_FOREIGN_FORMATS))
    except OSError:
        return False


def trouble_with_elf(path: str, head: bytes) -> Trouble | None:
    """Say what keeps a program from running on this machine.

    Args:
        path: its path, for the sentence.
        head: the beginning of its content, starting with `ELF`.
    """
    if len(head) < _HEADER_BYTES:
        return Trouble(
            f"{path} is a program that was cut off", "install it again: its file is damaged"
        )
    order = "<" if head[5] == 1 else ">"
    (machine,) = struct.unpack_from(f"{order}H", head, 18)
    own = _MACHINES.get(platform.machine())
    if own is not None and machine not in own:
        built_for = _MACHINE_NAMES.get(machine, f"machine {machine}")
        return Trouble(
            f"{path} was built for {built_for}, and this machine is {platform.machine()}",
            "install a build for this machine",
        )
    loader = _loader(head, order)
    if loader is not None and not os.path.exists(loader):
        return Trouble(
            f"{path} needs the loader {loader}, which this system does not have",
            "install a build for this system: one for musl on Alpine, one for glibc elsewhere",
        )
    return None


def _loader(head: bytes, order: str) -> str | None:
    """Return the program the kernel loads it with; None if static, or told further behind."""
    is_64 = head[4] == 2
    (table,) = struct.unpack_from(f"{order}{'Q' if is_64 else 'I'}", head, 32 if is_64 else 28)
    size, count = struct.unpack_from(f"{order}HH", head, 54 if is_64 else 42)
    if size == 0 or table + size * count > len(head):
        return None
    offset_at, length_at, word = (8, 32, "Q") if is_64 else (4, 16, "I")
    for at in range(table, table + size * count, size):
        (kind,) = struct.unpack_from(f"{order}I", head, at)
        if kind == _LOADER:
            (offset,) = struct.unpack_from(f"{order}{word}", head, at + offset_at)
            (length,) = struct.unpack_from(f"{order}{word}", head, at + length_at)
            return head[offset : offset + length].rstrip(b"\0").decode(errors="replace") or None
    return None
