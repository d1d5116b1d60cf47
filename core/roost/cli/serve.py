"""``roost serve``: become the daemon, in the foreground."""

from __future__ import annotations

import os
import sys

from roost.cli.arguments import Arguments, Option
from roost.cli.exit_codes import OK
from roost.cli.session import Session
from roost.cli.verb import Verb


def _serve(session: Session, given: Arguments) -> int:
    if given.has("unit"):
        return _print_unit(session)
    session.check_may_act()
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, "-m", "roost.daemon", "--data-dir", session.data_dir, "--foreground"]
    # The same process goes on: whoever supervises it keeps the pid and sends the signals.
    os.execv(sys.executable, command)


def _print_unit(session: Session) -> int:
    from roost.cli.systemd_unit import unit_text
    from roost.settings.daemon_settings import read_settings

    text = unit_text(
        program=sys.executable,
        data_dir=session.data_dir,
        search_path=session.environ.get("PATH", ""),
        shutdown_s=read_settings({"data_dir": session.data_dir}).shutdown_deadline_s,
    )
    if session.is_json:
        session.terminal.json({"unit": text})
    else:
        print(text, end="")
    return OK


VERBS = (
    Verb(
        "serve",
        _serve,
        options=(Option("--unit", "", "print a systemd user unit that does this, and end"),),
        details="For systemd and containers: logs to stderr, ends on SIGTERM or SIGINT.\n"
        "Install the unit with\n"
        "  roost serve --unit > ~/.config/systemd/user/roost.service\n"
        "  systemctl --user daemon-reload && systemctl --user enable --now roost",
    ),
)
