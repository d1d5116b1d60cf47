"""``roost serve``: become the daemon, in the foreground."""

from __future__ import annotations

import os
import sys

from roost.cli.arguments import Arguments
from roost.cli.session import Session
from roost.cli.verb import Verb


def _serve(session: Session, given: Arguments) -> int:
    session.check_may_act()
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, "-m", "roost.daemon", "--data-dir", session.data_dir, "--foreground"]
    # The same process goes on: whoever supervises it keeps the pid and sends the signals.
    os.execv(sys.executable, command)


VERBS = (
    Verb(
        "serve",
        _serve,
        details="For systemd and containers: logs to stderr, ends on SIGTERM or SIGINT.",
    ),
)
