"""``roost down``: stop the daemon and wait until it is gone."""

from __future__ import annotations

from roost.cli.arguments import Arguments, Option
from roost.cli.exit_codes import ACTION_FAILED, OK
from roost.cli.session import Session
from roost.cli.slots import report
from roost.cli.verb import Verb
from roost.client.discovery import STOP_TIMEOUT_S, find_daemon, stop_daemon

DEFAULT_WAIT_S = int(STOP_TIMEOUT_S)


def _down(session: Session, given: Arguments) -> int:
    session.check_may_act()
    wait_s = given.whole("timeout", DEFAULT_WAIT_S)
    if not find_daemon(session.data_dir):
        return _end(session, OK, f"no daemon is running for {session.data_dir}")

    def tell(waiting: str) -> None:
        session.terminal.note(f"waiting for {waiting}")

    if stop_daemon(session.data_dir, wait_s, tell):
        return _end(session, OK, "the daemon has stopped, and its bundles with it")
    sentence = f"the daemon is still stopping after {wait_s} s; `roost status` says what it is at"
    return _end(session, ACTION_FAILED, sentence)


def _end(session: Session, code: int, sentence: str) -> int:
    is_ok = code == OK
    result = {"ok": is_ok, "sentence": sentence, "code": "ok" if is_ok else "still_stopping"}
    return report(session, result)


VERBS = (
    Verb(
        "down",
        _down,
        options=(
            Option("--timeout", "SECONDS", f"how long to wait; {DEFAULT_WAIT_S} if not given"),
        ),
        details="--json prints an ActionResult. That no daemon is running is no failure.",
    ),
)
