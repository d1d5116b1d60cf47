"""What the kernel tells of the processes it killed for want of memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def kernel_kills(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Return how many processes the kernel killed for want of memory, 0 where it does not tell.

    In a container the count is that of the daemon's own control group, else the machine's.
    """
    counts = [
        *_counts(_own_group(proc, groups) / "memory.events", "oom_kill"),
        *_counts(proc / "vmstat", "oom_kill"),
    ]
    return next((count for count in counts if count), 0)


def _own_group(proc: Path, groups: Path) -> Path:
    lines = _lines(proc / "self" / "cgroup")
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    return groups / own.strip().lstrip("/")


def _counts(path: Path, name: str) -> Iterator[int]:
    for line in _lines(path):
        key, _, count = line.partition(" ")
        if key == name and count.strip().isdigit():
            yield int(count)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
