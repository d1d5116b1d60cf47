"""``python -m benchmarks [NAME ...]``: run the benchmarks and print one line each."""

from __future__ import annotations

import importlib
import platform
import sys

NAMES = (
    "ps",
    "first_paint",
    "keys",
    "respawn",
    "viewers",
    "scrubbing",
    "supervision",
    "wrappers",
    "runs",
    "tasks",
    "snapshots",
)


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    for name in names or NAMES:
        if name not in NAMES:
            print(f"there is no benchmark {name!r}; choose from {', '.join(NAMES)}")
            return 2
        for line in importlib.import_module(f"benchmarks.{name}").run():
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
