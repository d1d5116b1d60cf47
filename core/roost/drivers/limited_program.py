"""Sets resource limits on itself, then becomes the program they are for.

So a limit holds from the program's first instruction, which it does not when it is set from outside
once the program runs; and the daemon does not run code of its own between fork and exec, which is
unsafe beside its threads. It is run by its path, knows nothing of Roost and imports the standard
library only. Its first argument is what `roost.drivers.limits` wrote, the rest the command.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys

CANNOT_EXECUTE = 126
"""As shells say it: what the limits are for was not started."""


def main(plan: str, *command: str) -> int:
    """Become `command`; returns only when that was not possible."""
    try:
        _prepare(json.loads(plan))
        os.execvpe(command[0], command, os.environ)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{command[0]!r} cannot be started within its limits: {error}\n")
        return CANNOT_EXECUTE


def _prepare(plan: dict[str, object]) -> None:
    # What an interpreter changes for itself must not reach the program.
    for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    locale = plan["LC_CTYPE"]
    if isinstance(locale, str):
        os.environ["LC_CTYPE"] = locale
    else:
        os.environ.pop("LC_CTYPE", None)
    limits = plan["limits"]
    assert isinstance(limits, dict)
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, name), (value, value))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
