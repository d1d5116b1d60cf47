"""``roost run stop``: several runs at once, by id or by what they have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.exit_codes import ACTION_FAILED, OK
from roost.cli.references import find_run, run_path
from roost.cli.run_filters import ACTIVE, chosen_query
from roost.cli.runs import print_runs
from roost.cli.session import Session
from roost.cli.verb import Verb
from roost.cli.words import plural
from roost.client.wire import Wire
from roost.errors import Refused

AT_ONCE = 8
"""Stops under way at once; each may wait for its run for 10 s."""

MOST = 1000
"""Runs stopped by one call; a list as long is no list that somebody has looked at."""

_FILTERS = ("scope", "bundle", "kind", "since", "parent")


def stop(session: Session, given: Arguments) -> int:
    """Stop the runs that are named, or all active ones that fit."""
    is_filter = given.has("all") or any(given.has(name) for name in _FILTERS)
    if is_filter == bool(given.operands):
        raise usage_error(
            "name the runs to stop, or choose active ones by --all, --scope, --bundle, --kind, "
            "--parent or --since; nothing was stopped"
        )
    session.check_may_act()
    if not is_filter:
        wire = session.actor()
        named = [find_run(session, wire, text) for text in dict.fromkeys(given.operands)]
        runs = [detail["run"] for _, detail in named]
        return _stop(session, wire, runs, is_list=len(given.operands) > 1)
    if not given.has("yes") and not session.terminal.can_ask:
        raise usage_error("there is no terminal to confirm on; add --yes to stop all that fit")
    wire = session.actor()
    runs = _active(session, wire, given)
    if runs and not given.has("yes"):
        _confirm(session, runs)
    return _stop(session, wire, runs, is_list=True)


def _active(session: Session, wire: Wire, given: Arguments) -> list[dict[str, Any]]:
    operands, given.operands = given.operands, []
    query = chosen_query(session, wire, given) | {"status": ACTIVE, "limit": MOST}
    given.operands = operands
    runs: list[dict[str, Any]] = wire.get("/v1/runs", **query)
    return runs


def _confirm(session: Session, runs: Sequence[Mapping[str, Any]]) -> None:
    """Show what would be stopped and ask.

    Raises:
        Refused: the answer is not yes.
    """
    print_runs(session, runs)
    if session.terminal.ask(f"stop {plural(len(runs), 'run')}? [y/N]").casefold() not in _YES:
        raise Refused("nothing was stopped: it was not confirmed")


_YES = ("y", "yes")


def _stop(session: Session, wire: Wire, runs: Sequence[Mapping[str, Any]], *, is_list: bool) -> int:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda run: _stop_one(wire, run), runs))
    if session.is_json:
        session.terminal.json(outcomes if is_list else outcomes[0])
    else:
        _print(session, outcomes, is_list=is_list)
    return ACTION_FAILED if any(_is_active(outcome) for outcome in outcomes) else OK


def _stop_one(wire: Wire, run: Mapping[str, Any]) -> dict[str, Any]:
    path = run_path(run["workspace"], run["id"], "stop")
    outcome: dict[str, Any] = wire.send("POST", path)
    return outcome


def _print(session: Session, outcomes: Sequence[Mapping[str, Any]], *, is_list: bool) -> None:
    for outcome in outcomes:
        session.terminal.prose(outcome["sentence"])
    if not is_list:
        return
    left = sum(map(_is_active, outcomes))
    stopped = sum(outcome["stopped"] for outcome in outcomes) - left
    going_on = f"; {plural(left, 'run')} had not ended yet" if left else ""
    session.terminal.note(f"{plural(stopped, 'run')} stopped{going_on}")


def _is_active(outcome: Mapping[str, Any]) -> bool:
    return outcome["run"]["status"] in ACTIVE


VERB = Verb(
    "run stop",
    stop,
    "[RUN...]",
    (
        Option("--all", "", "all active runs, or those that fit what else is given"),
        Option("--scope", "SCOPE", "active runs of this scope"),
        Option("--bundle", "BUNDLE", "active runs of this bundle"),
        Option("--kind", "KIND", "active runs of this kind"),
        Option("--parent", "RUN", "active runs that this one began"),
        Option("--since", "SPAN", "active runs begun in the last 30s, 10m, 1h or 2d"),
        Option("--yes", "", "do not ask before stopping what fits"),
    ),
    details="Child runs stop with their parent. A settled run is left as it is, which is no "
    "failure; 1 means\nthat a run had not ended after 10 s, or that its server goes on with it. "
    "--json prints the\nStopOutcome of one run, or a list of them.",
)
