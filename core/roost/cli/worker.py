"""``roost worker``: become a worker, as the bundle of one does."""

from __future__ import annotations

import os
import sys

from roost.cli.arguments import Arguments, Option
from roost.cli.session import Session
from roost.cli.verb import Verb


def _worker(session: Session, given: Arguments) -> int:
    session.check_may_act()
    command = [sys.executable, "-m", "roost.worker", given.operands[0]]
    for key in ("directory", "slots", "grace"):
        if (value := given.one(key)) is not None:
            command += [f"--{key}", value]
    if given.has("dev"):
        command.append("--dev")
    sys.stdout.flush()
    sys.stderr.flush()
    # The same process goes on: Roost has handed it a token, and supervises its pid.
    os.execv(sys.executable, command)


VERBS = (
    Verb(
        "worker",
        _worker,
        "MODULE",
        (
            Option("--directory", "DIR", "where the module lies; where you are, if not given"),
            Option("--slots", "N", "runs at a time; 4 if not given"),
            Option("--grace", "SECONDS", "how long handlers go on at the end; 3 if not given"),
            Option("--dev", "", "a later task of a name replaces the earlier one"),
        ),
        details="It is what the bundle of a worker runs: `roost add --worker MODULE` installs one. "
        "By hand it says\nso, because a worker is handed a token by Roost.",
    ),
)
