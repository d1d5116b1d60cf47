"""``roost import``: what MCP clients are configured with becomes bundles, once reviewed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from roost.cli.arguments import Arguments, Option, usage_error
from roost.cli.exit_codes import ACTION_FAILED, OK
from roost.cli.field_values import written_values
from roost.cli.import_text import choice_lines, plan_lines
from roost.cli.references import find_workspace, workspace_path
from roost.cli.session import Session
from roost.cli.verb import Verb
from roost.errors import NotFound, Refused
from roost.models import FieldValue, ImportChoice, ImportRequest, ImportScan
from roost.models.codec import to_json

Entry = dict[str, Any]
"""An `ImportEntry` in wire form."""

_ACTING = ("start", "resolve", "allow-secret-arguments", "set", "set-from-env", "name", "yes")


def _import(session: Session, given: Arguments) -> int:
    is_acting = bool(given.operands) or given.has("all")
    _check(session, given, is_acting=is_acting)
    wire = session.reader() if session.is_read_only else session.actor()
    workspace = find_workspace(session, wire, or_first=True)
    path = f"{workspace_path(workspace)}/import"
    scan = _scan(given)
    plan = wire.send("POST", f"{path}/plan", to_json(scan))
    if not is_acting:
        return _show(session, plan)
    chosen = _chosen(given, plan["entries"])
    answers = _answers(session, given, chosen)
    _confirm(session, given, chosen, workspace)
    request = _request(given, scan, chosen, answers)
    outcome = wire.send("POST", path, to_json(request))
    return _report(session, workspace, chosen, answers, outcome)


def _check(session: Session, given: Arguments, *, is_acting: bool) -> None:
    if not is_acting:
        for key in _ACTING:
            if given.has(key):
                raise usage_error(f"--{key} goes with the names of what to import, or --all")
        return
    session.check_may_act()
    if given.operands and given.has("all"):
        raise usage_error("--all takes everything; leave out the names, or --all")
    if given.has("name") and len(given.operands) != 1:
        raise usage_error("--name goes with the name of one entry")
    if not given.has("yes") and not session.terminal.can_ask:
        raise usage_error("there is no terminal to confirm on; add --yes to import")


def _scan(given: Arguments) -> ImportScan:
    files = tuple(_absolute(path) for path in given.every("from"))
    directories = [_absolute(path) for path in given.every("directory")]
    if not directories and not files:
        directories = [os.getcwd()]
    return ImportScan(
        directories=tuple(directories),
        files=files,
        only_given=bool(files) and not given.has("directory"),
    )


def _absolute(path: str) -> str:
    if not path:
        raise usage_error("the path is empty; give the one of a file or directory")
    return os.path.abspath(os.path.expanduser(path))


def _show(session: Session, plan: dict[str, Any]) -> int:
    if session.is_json:
        session.terminal.json(plan)
        return OK
    for line in plan_lines(plan):
        print(line)
    return OK


def _chosen(given: Arguments, entries: list[Entry]) -> list[Entry]:
    """Return the entries that were named, or all that nothing speaks against.

    Raises:
        NotFound: nothing has such a name.
        BadInput: several have.
    """
    if not given.has("all"):
        found = {entry["id"]: entry for entry in (_named(name, entries) for name in given.operands)}
        return list(found.values())
    chosen = [entry for entry in entries if _is_for_all(entry, starts=given.has("start"))]
    if not chosen:
        raise NotFound("there is nothing to import; `roost import` shows what was found")
    return chosen


def _is_for_all(entry: Entry, *, starts: bool) -> bool:
    """Say whether ``--all`` takes an entry; what a project runs is only started by its name."""
    if entry["problem"] or entry["is_disabled"]:
        return False
    if entry["duplicate_of"] or entry["installed_as"]:
        return False
    return not (starts and entry["is_from_repository"])


def _named(name: str, entries: list[Entry]) -> Entry:
    for key in ("id", "name", "entry"):
        found = [entry for entry in entries if entry[key] == name]
        if len(found) > 1:
            ids = ", ".join(f"{entry['name']} ({entry['client']})" for entry in found)
            raise usage_error(f"{len(found)} entries are called {name!r}: {ids}; name one of them")
        if found:
            return found[0]
    raise NotFound(f"no entry is called {name!r}; `roost import` shows what was found")


def _answers(session: Session, given: Arguments, chosen: list[Entry]) -> dict[str, FieldValue]:
    questions = {question["key"]: question for entry in chosen for question in entry["questions"]}
    fields = {
        key: {
            "key": key,
            "sensitive": question["is_sensitive"],
            "multiple": False,
            "type": "string",
        }
        for key, question in questions.items()
    }
    answers = written_values(session, fields, given)
    if session.terminal.can_ask and not given.has("yes"):
        for key, question in questions.items():
            if key not in answers and (text := _asked(session, question)):
                answers[key] = text
    return answers


def _asked(session: Session, question: Mapping[str, Any]) -> str:
    title, key = question["title"], question["key"]
    called = key if title == key else f"{key} ({title})"
    if question["is_sensitive"]:
        return session.terminal.secret(called)
    if question["choices"]:
        called += f", one of {', '.join(question['choices'])}"
    if question["default"]:
        called += f" [{question['default']}]"
    return session.terminal.ask(f"{called}:")


def _confirm(session: Session, given: Arguments, chosen: list[Entry], workspace: str) -> None:
    """Show what will be imported, and ask where that was not answered before.

    Raises:
        Refused: the answer was not yes.
    """
    for line in choice_lines(chosen):
        session.terminal.note(line)
    if given.has("yes"):
        return
    what = "import and start" if given.has("start") else "import"
    if session.terminal.ask(f"{what} into {workspace}? [y/N]").lower() not in ("y", "yes"):
        raise Refused("nothing was imported: the answer was not yes")


def _request(
    given: Arguments, scan: ImportScan, chosen: list[Entry], answers: dict[str, FieldValue]
) -> ImportRequest:
    choices = tuple(
        ImportChoice(
            id=entry["id"],
            name=given.one("name") or entry["name"],
            answers={
                question["key"]: answers[question["key"]]
                for question in entry["questions"]
                if question["key"] in answers
            },
            resolve=given.has("resolve") and entry["copy"] is not None,
            secret_arguments=given.has("allow-secret-arguments"),
        )
        for entry in chosen
    )
    return ImportRequest(scan, choices, start=given.has("start"))


def _report(
    session: Session,
    workspace: str,
    chosen: list[Entry],
    answers: Mapping[str, FieldValue],
    outcome: dict[str, Any],
) -> int:
    results = outcome["results"]
    if session.is_json:
        session.terminal.json(outcome)
    else:
        found = {entry["id"]: entry for entry in chosen}
        for result in results:
            _report_one(session, workspace, found[result["id"]], result, answers)
    return OK if all(result["ok"] for result in results) else ACTION_FAILED


def _report_one(
    session: Session,
    workspace: str,
    entry: Entry,
    result: Mapping[str, Any],
    answers: Mapping[str, FieldValue],
) -> None:
    if not result["ok"]:
        session.terminal.note(f"{entry['name']} was not imported: {result['sentence']}")
        return
    name = f"{workspace}/{result['bundle']}"
    needs = ", ".join(
        question["key"]
        for question in entry["questions"]
        if question["is_required"] and question["key"] not in answers
    )
    follow = f"; it needs {needs}: `roost credentials {name}` shows the form" if needs else ""
    session.terminal.prose(f"{name} is imported{follow}")


VERBS = (
    Verb(
        "import",
        _import,
        "[NAME...]",
        (
            Option("--all", "", "import everything that nothing speaks against"),
            Option("--from", "FILE", "this configuration instead of the clients' own"),
            Option("--directory", "DIR", "a project whose configurations count; here if not given"),
            Option("--name", "NAME", "the bundle's name, for one entry"),
            Option("--set", "KEY[=VALUE]", "answer a question; without a value typed or piped in"),
            Option("--set-from-env", "KEY=VAR", "answer a question with a variable's value"),
            Option("--resolve", "", "take installed, pinned copies instead of npx and uvx"),
            Option("--allow-secret-arguments", "", "let secrets stand in command lines"),
            Option("--start", "", "start what was imported"),
            Option("--yes", "", "do not ask"),
        ),
        details="Without a name the plan is shown: what was found, what would run and what is to "
        "be known of it.\nNAME is the name in the plan, or the entry's own. The clients' files are "
        "only read. Secrets in\nthem go to the vault. Nothing is started without --start, and what "
        "a project's files run is\nstarted by its name only. --all leaves out what is switched "
        "off, installed or there twice.\nPiped input is the value of a single --set KEY, or one "
        "line for each of several. --json prints\nthe ImportPlan, or the ImportOutcome.",
    ),
)
