"""The checks of what is installed: the definition, the program, the prepared environment."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from roost.bundles import FilledIn, worker_directory
from roost.engine.why.causes import remedy
from roost.engine.why.elsewhere import address_of
from roost.engine.why.output import stream_lines
from roost.engine.why.programs import Found, examine, trouble_with_file
from roost.engine.why.steps import EVIDENCE_LINES, Trouble, failed, passed, unknown
from roost.engine.why.subject import Subject
from roost.models import (
    Definition,
    LogStream,
    Runtime,
    SourceKind,
    StartStep,
    WhyCheck,
    WhyStep,
)

_OF_DEFINITION = ("configuration", "version")
"""What a stale process may lag behind in that its definition tells."""

_SCRIPTS = (".py", ".pyz", ".js", ".mjs", ".cjs", ".ts", ".sh", ".rb", ".jar")

_ADD_AGAIN = "install it again: `roost remove {label}`, then `roost add`"


def check_definition(subject: Subject) -> WhyStep:
    """Look whether the definition can be filled in, and whether its files are there."""
    check, definition = WhyCheck.DEFINITION, subject.definition
    behind = tuple(name for name in subject.view.stale if name in _OF_DEFINITION)
    trouble = (
        _trouble_with_root(subject)
        or _trouble_with_templates(subject)
        or (None if subject.is_serving else _trouble_with_script(subject))
    )
    if trouble is not None:
        return failed(check, trouble)
    if behind and subject.generation is not None:
        return failed(check, _lagging(subject, behind))
    where = f" in {definition.root}" if definition.root else ""
    version = f", version {definition.version}" if definition.version else ""
    return passed(check, f"its definition stands{version}{where}")


def _trouble_with_root(subject: Subject) -> Trouble | None:
    root, source = subject.definition.root, subject.definition.source
    way_out, digest = _ADD_AGAIN.format(label=subject.label), source.sha256
    if source.kind is SourceKind.APP and not os.path.isdir(source.origin):
        said = f"the directory of its app is gone: {source.origin}"
        return Trouble(
            said, f"bring it back, or {way_out} --app", _listing(source.origin), "bundle.add"
        )
    module_dir = worker_directory(subject.definition)
    if module_dir is not None and not os.path.isdir(module_dir):
        said = f"the directory of its module is gone: {module_dir}"
        return Trouble(
            said, f"bring it back, or {way_out} --worker", _listing(module_dir), "bundle.add"
        )
    if root is None:
        return None
    if not os.path.isdir(root):
        said = f"its files are gone: there is no directory {root}"
        return Trouble(said, way_out, action="bundle.add")
    name = Path(root).name
    if digest is not None and f"-{digest[:12]}" not in name:
        said = f"its directory {name} is not the one of the archive it was installed from"
        return Trouble(said, way_out, (f"sha256 {digest}",), "bundle.add")
    return None


def _trouble_with_templates(subject: Subject) -> Trouble | None:
    error = subject.filling.filled_error
    if error is None:
        return None
    return Trouble(
        f"its definition cannot be filled in: {error.message}",
        _ADD_AGAIN.format(label=subject.label),
        action="bundle.add",
    )


def _trouble_with_script(subject: Subject) -> Trouble | None:
    """Look for the script that its interpreter is to run; other arguments may name anything."""
    script = _script_of(subject.definition, subject.filling.filled)
    plan = subject.filling.plan
    is_prepared = plan is not None and (script or "").startswith(f"{plan.prepared_dir}/")
    if script is None or is_prepared or os.path.exists(script):
        return None
    return Trouble(
        f"the file it runs is not there: {script}",
        f"bring the file back, or {_ADD_AGAIN.format(label=subject.label)} with its new path",
        _listing(script),
        "bundle.add",
    )


def _script_of(definition: Definition, filled: FilledIn | None) -> str | None:
    if filled is None or definition.runtime not in (Runtime.PYTHON, Runtime.NODE):
        return None
    first = next((arg for arg in filled.args if not arg.startswith("-")), "")
    return first if os.path.isabs(first) and first.endswith(_SCRIPTS) else None


def _listing(path: str) -> tuple[str, ...]:
    """Return the nearest directory that is there, which tells a moved file from a lost disk."""
    parent = Path(path).parent
    while not parent.is_dir() and parent != parent.parent:
        parent = parent.parent
    return (f"{parent} is there",)


def _lagging(subject: Subject, behind: tuple[str, ...]) -> Trouble:
    assert subject.generation is not None
    generation = subject.generation
    details = {
        "version": f"version {generation.version}, installed is {subject.definition.version}",
        "configuration": f"configuration {generation.config_hash}, "
        f"set is {subject.slot.config_hash}",
    }
    return Trouble(
        f"generation {generation.number} lags behind in {' and '.join(behind)}",
        f"{subject.respawn} brings it up to date",
        tuple(f"it runs {details[name]}" for name in behind if name in details),
        "bundle.respawn",
    )


def check_runtime(subject: Subject) -> WhyStep:
    """Look whether its program can be executed on this machine."""
    check = WhyCheck.RUNTIME
    if subject.filling.plan_error is not None:
        said = f"its environment cannot be made: {subject.filling.plan_error.message}"
        return failed(check, Trouble(said, f"install that, then {subject.respawn}"))
    filled, plan = subject.filling.filled, subject.filling.plan
    if subject.definition.is_elsewhere:
        return passed(check, f"it runs somewhere else, at {address_of(subject)}")
    if filled is None:
        return unknown(check, "which program it starts cannot be told")
    if plan is not None and filled.command.startswith(f"{plan.prepared_dir}/"):
        return passed(check, f"its environment is made by {plan.steps[0].argv[0]}")
    found = examine(filled.command, filled.env.get("PATH", ""))
    if isinstance(found, Trouble):
        return failed(
            check,
            Trouble(
                found.said,
                f"{found.way_out}; then {subject.respawn}",
                found.evidence,
                "bundle.respawn",
            ),
        )
    return passed(check, _found_words(found))


def _found_words(found: Found) -> str:
    through = f", run by {found.interpreter}" if found.interpreter else ""
    return f"its program is {found.path}{through}"


def check_install(subject: Subject) -> WhyStep:
    """Look whether what a start needs on the disk is there: environment and working directory."""
    check = WhyCheck.INSTALL
    if subject.step_check is check and subject.view.step is StartStep.PREPARE:
        return unknown(check, "its environment is being made")
    trouble = _trouble_with_directory(subject.state_dir) if not subject.is_serving else None
    if trouble is not None:
        return failed(check, trouble)
    if subject.filling.plan is None:
        return passed(check, "it needs no environment of its own")
    return _check_environment(subject, subject.filling.plan.prepared_dir)


def _trouble_with_directory(path: str) -> Trouble | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None  # a start makes it
    except OSError as error:
        return Trouble(
            f"its working directory {path} cannot be reached ({error.strerror})",
            f"make way for it: see what stands at {path}",
        )
    if stat.S_ISDIR(found.st_mode) and os.access(path, os.W_OK | os.X_OK):
        return None
    return Trouble(
        f"its working directory {path} is no directory that can be written to",
        f"move away what stands there, or give it back to the daemon's user: `ls -ld {path}`",
    )


def _check_environment(subject: Subject, prepared: str) -> WhyStep:
    check = WhyCheck.INSTALL
    if not os.path.isdir(prepared):
        if subject.failed_check is check:
            return failed(check, _failed_preparation(subject))
        return unknown(check, "its environment is made by its next start")
    command = subject.filling.filled.command if subject.filling.filled else ""
    if subject.definition.runtime is Runtime.NODE:
        trouble = _trouble_with_modules(subject, prepared)
    else:
        trouble = _trouble_with_python(subject, prepared)
    if trouble is None and command.startswith(f"{prepared}/"):
        trouble = _trouble_with_console_script(subject, command)
    if trouble is not None:
        return failed(check, trouble)
    return passed(check, f"its environment is {prepared}")


def _trouble_with_python(subject: Subject, prepared: str) -> Trouble | None:
    found = trouble_with_file(f"{prepared}/bin/python")
    if found is None:
        return None
    return Trouble(
        f"its environment is broken: {found.said}",
        f"`rm -r {prepared}`, then {subject.respawn} makes it anew",
        action="bundle.respawn",
    )


def _trouble_with_modules(subject: Subject, prepared: str) -> Trouble | None:
    args = subject.filling.filled.args if subject.filling.filled else ()
    entries = [arg for arg in args[:1] if arg.startswith(f"{prepared}/")]
    if all(map(os.path.isfile, entries)):
        return None
    return Trouble(
        f"its modules are incomplete: there is no {entries[0]}",
        f"`rm -r {prepared}`, then {subject.respawn} makes it anew",
        action="bundle.respawn",
    )


def _trouble_with_console_script(subject: Subject, command: str) -> Trouble | None:
    if trouble_with_file(command) is None:
        return None
    name = os.path.basename(command)
    folder = os.path.dirname(command)
    scripts = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return Trouble(
        f"{' '.join(subject.definition.requirements)} brings no console script {name!r}",
        f"install it again with the right one: `roost remove {subject.label}`, then `roost add "
        "--pypi REQUIREMENT --script NAME`",
        (f"{folder} holds {', '.join(scripts) or 'nothing'}",),
        "bundle.add",
    )


def _failed_preparation(subject: Subject) -> Trouble:
    assert subject.reason is not None
    output = stream_lines(subject, None, LogStream.STDOUT, LogStream.STDERR)[-EVIDENCE_LINES:]
    known = remedy(output, subject.label)
    return Trouble(
        subject.told,
        " ".join(filter(None, (f"{subject.respawn} tries again.", known))),
        output,
        "bundle.respawn",
    )
