"""``roost add``: install a bundle from anything, once what will run was shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from roost.cli.arguments import Arguments, Option
from roost.cli.exit_codes import OK
from roost.cli.install_request import SOURCE_OPTIONS, read_request
from roost.cli.plan_text import note_plan, plan_lines, show_plan
from roost.cli.references import find_workspace, workspace_path
from roost.cli.session import Session
from roost.cli.setting_options import OPTIONS, read_how, read_limits, read_settings
from roost.cli.verb import Verb
from roost.client.wire import Wire
from roost.errors import Refused
from roost.models import BundleSettings, InstallRequest, ResourceLimits
from roost.models.codec import to_json


def _add(session: Session, given: Arguments) -> int:
    session.check_may_act()
    request = _with_settings(read_request(session, given, given.operands), given)
    wire = session.actor()
    workspace = find_workspace(session, wire, or_first=True)
    plan = plan_of(wire, workspace, request)
    if given.has("plan"):
        return report_plan(session, plan)
    reviewed(session, given, plan, "install it?")
    request = replace(request, sha256=plan["sha256"] or request.sha256)
    bundle = wire.send("POST", f"{workspace_path(workspace)}/bundles", to_json(request))
    if session.is_json:
        session.terminal.json(bundle)
    else:
        session.terminal.prose(_told(bundle, plan, is_started=request.start))
    return OK


def _with_settings(request: InstallRequest, given: Arguments) -> InstallRequest:
    how = read_how(given)
    return replace(
        request,
        name=given.one("name"),
        settings=BundleSettings(
            protected=given.has("protected"),
            **read_settings(given),
            snapshot_how=None if how is None else how.backend,
            limits=ResourceLimits(**read_limits(given)),
        ),
        after=tuple(dict.fromkeys(given.every("after"))),
        start=not given.has("no-start"),
    )


def _told(bundle: dict[str, Any], plan: dict[str, Any], *, is_started: bool) -> str:
    name = f"{bundle['workspace']}/{bundle['name']}"
    follow = f"; `roost logs -f {name}` follows its start" if is_started else ""
    missing = bundle["missing_fields"] or plan["missing_fields"]
    if missing:
        follow = f"; it needs {', '.join(missing)}: `roost credentials {name}` shows the form"
    return f"{name} is installed{follow}"


def report_plan(session: Session, plan: dict[str, Any]) -> int:
    """Print a plan as the result."""
    if session.is_json:
        session.terminal.json(plan)
    else:
        show_plan(session, plan)
    return OK


def reviewed(session: Session, given: Arguments, plan: dict[str, Any], question: str) -> None:
    """Show what will run, and ask where somebody can be asked.

    Raises:
        Refused: the answer was not yes.
    """
    terminal = session.terminal
    if not terminal.can_ask or given.has("yes") or session.is_json:
        if not session.is_json:
            note_plan(session, plan)
        return
    for line in plan_lines(plan):
        terminal.note(line)
    if terminal.ask(f"{question} [y/N]").lower() not in ("y", "yes"):
        raise Refused("nothing was installed: the answer was not yes")


def plan_of(wire: Wire, workspace: str, request: InstallRequest) -> dict[str, Any]:
    """Ask what an install would do."""
    plan: dict[str, Any] = wire.send("POST", f"{workspace_path(workspace)}/plan", to_json(request))
    return plan


VERBS = (
    Verb(
        "add",
        _add,
        "[WHAT]",
        (
            *SOURCE_OPTIONS,
            Option("--name", "NAME", "the bundle's name; derived if not given"),
            *OPTIONS,
            Option("--protected", "", "refuse respawn, stop and removal without a reason"),
            Option("--no-start", "", "install only"),
        ),
        rest="[-- COMMAND ...]",
        details="WHAT is an MCPB file or folder, the folder of an app, a client's configuration, "
        "a URL,\nnpm:NAME, pypi:NAME, NAME==VERSION or a program. What will run is shown first; a "
        "terminal asks.\nValues of variables and headers are kept as credentials. What follows -- "
        "is a command, or a\npackage's arguments. A web bundle finds its port in PORT and as "
        "${port} in its arguments.\n--app loads the app's code once, without starting it and "
        "without credentials, to learn\nits name and kind. --json prints the BundleView, with "
        "--plan the InstallPlan.",
    ),
)
