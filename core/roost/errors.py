"""Every error a client can meet, in one place.

Each class has a stable `code`, which is also the API's error code, and builds a sentence that says
what happened, to what, and what to do next. `details` holds typed facts for programs. The five
kinds below `RoostError` decide the exit code of the command line and the status of the API.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar


class RoostError(Exception):
    """Base class; `code` is the stable name sent over the API."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details: dict[str, Any] = details

    @property
    def message(self) -> str:
        """The sentence for people."""
        return str(self.args[0])


class BadInput(RoostError):
    """What was asked for cannot be done as asked; nothing has changed."""

    code = "invalid_request"


class NotFound(RoostError):
    """It does not exist, or the caller may not know that it does."""

    code = "not_found"


class Conflict(RoostError):
    """It collides with what exists already."""

    code = "conflict"


class Refused(RoostError):
    """It is understood and not allowed as things stand."""

    code = "refused"


class Unavailable(RoostError):
    """It cannot be answered now; the same call may succeed later."""

    code = "unavailable"


class InvalidName(BadInput):
    """A workspace or bundle name breaks the rule."""

    code = "invalid_name"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is not a valid name; use 1 to 63 of a-z, 0-9 and -, starting with a letter "
            "or digit",
            name=name,
        )


class BadArchive(BadInput):
    """An MCPB archive is broken or unsafe."""

    code = "bad_archive"


class BadManifest(BadInput):
    """A bundle's manifest cannot be used."""

    code = "bad_manifest"


class BadConfigFile(BadInput):
    """A client configuration or settings file cannot be read."""

    code = "bad_config_file"


class CommandNotFound(BadInput):
    """The program of a bundle does not exist or cannot be executed."""

    code = "command_not_found"

    def __init__(self, command: str) -> None:
        super().__init__(
            f"there is no program {command!r} that can be executed; install it or give its full "
            "path",
            command=command,
        )


class BadPort(BadInput):
    """A port is no number that a server can listen on."""

    code = "bad_port"

    def __init__(self, given: str) -> None:
        super().__init__(
            f"{given!r} is not a port; give a number from 1 to 65535, or 0 for any free one",
            given=given,
        )


class EntryNotFound(BadInput):
    """Nothing was found where an app's entry point should be; names what was looked for."""

    code = "entry_not_found"


class BadApp(BadInput):
    """A directory cannot be installed as an app."""

    code = "bad_app"

    def __init__(self, directory: str, problem: str) -> None:
        super().__init__(f"{directory!r} is not installed: {problem}", directory=directory)


class ForbiddenVariable(BadInput):
    """A definition sets a variable that no process of a bundle may be given."""

    code = "forbidden_variable"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the variable {name} cannot be set: {reason}", variable=name)


class BadFields(BadInput):
    """A credential write names unknown fields or holds values that do not fit."""

    code = "bad_fields"

    def __init__(self, bundle: str, problems: dict[str, str]) -> None:
        listed = "; ".join(f"{name}: {problem}" for name, problem in sorted(problems.items()))
        super().__init__(
            f"nothing was written for {bundle!r}: {listed}. Correct these and save again",
            fields=problems,
        )


class SensitiveInArguments(BadInput):
    """A sensitive field would end up in the argument vector, where everyone can read it."""

    code = "sensitive_in_arguments"

    def __init__(self, bundle: str, fields: tuple[str, ...]) -> None:
        super().__init__(
            f"{bundle!r} would show {', '.join(fields)} in its command line; change the bundle to "
            "take it from the environment, or allow it with --allow-secret-arguments",
            fields=list(fields),
        )


class BadArguments(BadInput):
    """Arguments of a tool call break the tool's schema."""

    code = "bad_arguments"

    def __init__(self, tool: str, problem: str) -> None:
        super().__init__(f"{tool!r} was not called: {problem}. Correct the arguments", tool=tool)


class BadUrl(BadInput):
    """An address or header of a server over HTTP cannot be used."""

    code = "bad_url"


class Changed(Conflict):
    """What was reviewed is not what is there now."""

    code = "changed_since_review"


class PackageNotFound(NotFound):
    """A registry has no such package or version."""

    code = "package_not_found"


class VersionNotFound(NotFound):
    """No such version of a bundle is kept."""

    code = "version_not_found"


class WorkspaceNotFound(NotFound):
    """No workspace has this id."""

    code = "workspace_not_found"

    def __init__(self, workspace: str) -> None:
        super().__init__(
            f"there is no workspace {workspace!r}; `roost status` lists those that exist",
            workspace=workspace,
        )


class BundleNotFound(NotFound):
    """No bundle has this name in this workspace."""

    code = "bundle_not_found"

    def __init__(self, workspace: str, name: str) -> None:
        super().__init__(
            f"there is no bundle {name!r} in workspace {workspace!r}; `roost ps` lists those that "
            "exist, `roost add` installs one",
            workspace=workspace,
            bundle=name,
        )


class RunNotFound(NotFound):
    """No run has this id in this workspace."""

    code = "run_not_found"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"there is no run {run_id!r}; `roost runs` lists the runs", run=run_id)


class TaskNotFound(NotFound):
    """No bundle of this workspace offers a task of this name."""

    code = "task_not_found"

    def __init__(self, task: str) -> None:
        super().__init__(
            f"there is no task {task!r}; `roost task list` lists those that workers offer",
            task=task,
        )


class ScheduleNotFound(NotFound):
    """No schedule has this name in this workspace."""

    code = "schedule_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no schedule {name!r}; `roost schedule list` lists those that exist",
            schedule=name,
        )


class ToolNotFound(NotFound):
    """The bundle offers no tool of this name."""

    code = "tool_not_found"

    def __init__(self, bundle: str, tool: str, known: tuple[str, ...]) -> None:
        offered = f"it offers {', '.join(known)}" if known else "it offers none"
        super().__init__(f"{bundle!r} has no tool {tool!r}; {offered}", tool=tool)


class LogNotFound(NotFound):
    """Nothing is kept of this log."""

    code = "log_not_found"


class AlreadyExists(Conflict):
    """A workspace or bundle of this name exists."""

    code = "already_exists"

    def __init__(self, what: str, name: str) -> None:
        super().__init__(
            f"there is already a {what} {name!r}; choose another name or remove it first", name=name
        )


class AlreadyActive(Conflict):
    """The scope has an active run."""

    code = "already_active"

    def __init__(self, scope: str, run_id: str) -> None:
        super().__init__(
            f"{scope!r} already has the active run {run_id}; wait for it or `roost run stop "
            f"{run_id}`",
            scope=scope,
            run=run_id,
        )


class TaskTaken(Conflict):
    """Another bundle of the workspace offers a task of this name."""

    code = "task_taken"

    def __init__(self, task: str, bundle: str) -> None:
        super().__init__(
            f"the task {task!r} is offered by the bundle {bundle!r} already; rename one of the "
            "two, or remove that bundle",
            task=task,
            bundle=bundle,
        )


class LeaseLost(Conflict):
    """Whoever reports for a run does not hold its lease any more."""

    code = "lease_lost"

    def __init__(self, run_id: str, why: str) -> None:
        super().__init__(
            f"the lease of run {run_id} is lost: {why}; end this work, nothing of it is kept",
            run=run_id,
        )


class IdempotencyConflict(Conflict):
    """An idempotency key was used again with other input."""

    code = "idempotency_conflict"

    def __init__(self, key: str, run_id: str) -> None:
        super().__init__(
            f"the key {key!r} belongs to run {run_id} with other input; use a new key",
            key=key,
            run=run_id,
        )


class DaemonAlreadyRunning(Conflict):
    """Another daemon owns the data directory."""

    code = "daemon_already_running"

    def __init__(self, data_dir: str, pid: int | None) -> None:
        holder = f"by the daemon with pid {pid}" if pid else "by another daemon"
        super().__init__(
            f"{data_dir} is owned {holder}; use that one, or stop it with `roost down`", pid=pid
        )


class BundleProtected(Refused):
    """A protected bundle refuses an interrupting action without a reason."""

    code = "protected"

    def __init__(self, bundle: str, action: str, option: str = "--force") -> None:
        super().__init__(
            f"{bundle!r} is protected, so {action} needs a reason; give one with {option} REASON",
            bundle=bundle,
        )


class NotRunning(Refused):
    """The bundle has no running process to do this."""

    code = "not_running"

    def __init__(self, bundle: str, state: str) -> None:
        if state == "needs_credentials":
            told = "waits for credentials, so it takes no calls; set them with"
            verb = "credentials"
        elif state == "not an MCP server":
            told = "is not an MCP server, so it has no tools; see what it is with"
            verb = "show"
        else:
            told = f"is {state.replace('_', ' ')}, so it takes no calls; start it with"
            verb = "start"
        super().__init__(f"{bundle!r} {told} `roost {verb} {bundle}`", bundle=bundle, state=state)


class ShuttingDown(Unavailable):
    """The daemon takes no new work."""

    code = "shutting_down"

    def __init__(self) -> None:
        super().__init__("the daemon is shutting down and takes no new work; run `roost` again")


class QueueFull(Unavailable):
    """As many runs of a task wait as it lets wait."""

    code = "queue_full"

    def __init__(self, task: str, waiting: int, retry_after_s: int) -> None:
        super().__init__(
            f"{waiting} runs of the task {task!r} wait already, nothing was begun; try again in "
            f"{retry_after_s} s",
            task=task,
            waiting=waiting,
            retry_after_s=retry_after_s,
        )
        self.retry_after_s = retry_after_s


class StoreUnavailable(Unavailable):
    """The store did not take a write or answer a read."""

    code = "store_unavailable"


class VaultUnavailable(Unavailable):
    """Credentials cannot be read or written."""

    code = "vault_unavailable"


class DaemonUnreachable(Unavailable):
    """Nobody answers on the daemon's socket."""

    code = "daemon_unreachable"


class HookFailed(RoostError):
    """A component of an app raised in one of its hooks."""

    code = "hook_failed"

    def __init__(self, component: str, step: str, cause: BaseException) -> None:
        if isinstance(cause, RoostError):
            said = cause.message  # it says itself what to do next
        else:
            said = f"{_described(cause)}. Correct it and start again"
        super().__init__(
            f"the component {component!r} failed in {step}: {said}",
            component=component,
            step=step,
        )


class StartupTimedOut(Unavailable):
    """An app was not ready within its start-up time-out."""

    code = "startup_timed_out"

    def __init__(self, app: str, component: str, step: str, seconds: float) -> None:
        super().__init__(
            f"{app!r} was not ready within {seconds:g} s: the component {component!r} was still in "
            f"{step}; make it faster, or raise the start-up time-out",
            app=app,
            component=component,
            step=step,
        )


class LifecycleClosed(Unavailable):
    """An app was closed before it got as far as was waited for."""

    code = "lifecycle_closed"

    def __init__(self, app: str) -> None:
        super().__init__(f"{app!r} was closed meanwhile; start it again", app=app)


class NotLoaded(Refused):
    """An app is not in the state that a snapshot, a restore or a start needs."""

    code = "not_loaded"

    def __init__(self, app: str, state: str, wish: str) -> None:
        super().__init__(
            f"{app!r} is {state}, which does not allow {wish}; load it for a snapshot first, "
            "or close it before another start",
            app=app,
            state=state,
        )


class ClientRefused(Refused):
    """A component opened a client while its app was loading."""

    code = "client_refused"

    def __init__(self, component: str) -> None:
        super().__init__(
            f"the component {component!r} may not open a client now: the app is only loaded, and "
            "every copy of it would share the connection. Open it in did_load or will_ready, "
            "which also run after a restore",
            component=component,
        )


class EntryFailed(RoostError):
    """An app's own code raised while it was loaded."""

    code = "entry_failed"

    def __init__(self, entry: str, cause: BaseException) -> None:
        super().__init__(
            f"{entry} could not be loaded: {_described(cause)}. Correct it and start again",
            entry=entry,
        )


class CannotListen(Unavailable):
    """A web app's port cannot be had."""

    code = "cannot_listen"

    def __init__(self, app: str, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"{app!r} cannot listen on port {port} of {host}: {reason}. End what uses it, or set "
            "PORT to another one; 0 takes any that is free",
            app=app,
            port=port,
        )


class WebStartFailed(RoostError):
    """A web application refused to start, by the lifespan protocol."""

    code = "web_start_failed"

    def __init__(self, app: str) -> None:
        super().__init__(
            f"the web application of {app!r} failed in its own start-up, as logged above; correct "
            "it and start again",
            app=app,
        )


class WorkerFailed(RoostError):
    """A worker of an app raised."""

    code = "worker_failed"

    def __init__(self, app: str, worker: str, cause: BaseException) -> None:
        super().__init__(
            f"the worker {worker!r} of {app!r} failed: {_described(cause)}. The app was closed; "
            "correct it and start again",
            app=app,
            worker=worker,
        )


class SnapshotMissing(Refused):
    """A snapshot is needed, and the bundle has none that can be used."""

    code = "snapshot_missing"

    def __init__(self, bundle: str, why: str = "there is none") -> None:
        super().__init__(
            f"{bundle!r} has no snapshot that it could be started from: {why}; make one with "
            f"`roost snapshot build {bundle}`",
            bundle=bundle,
        )


class SnapshotStale(Refused):
    """A snapshot is needed, and something that is in it has changed."""

    code = "snapshot_stale"

    def __init__(self, bundle: str, change: str) -> None:
        super().__init__(
            f"the snapshot of {bundle!r} is stale, so nothing is started from it: {change}; build "
            f"it again with `roost snapshot build {bundle}`",
            bundle=bundle,
        )


class SnapshotRefused(Refused):
    """There can be no snapshot of a bundle, or not as it is; says why and the way out."""

    code = "snapshot_refused"

    def __init__(self, bundle: str, why: str) -> None:
        super().__init__(f"there is no snapshot of {bundle!r}: {why}", bundle=bundle)


class SnapshotBusy(Conflict):
    """A snapshot of the bundle is being built."""

    code = "snapshot_busy"

    def __init__(self, bundle: str) -> None:
        super().__init__(
            f"the snapshot of {bundle!r} is being built; `roost snapshot show {bundle}` tells how "
            "far it is",
            bundle=bundle,
        )


class SnapshotNotLoaded(Unavailable):
    """A snapshot is needed and valid, and its template does not come up; the next try loads it."""

    code = "snapshot_not_loaded"

    def __init__(self, bundle: str, why: str) -> None:
        super().__init__(
            f"the template of {bundle!r} does not come up: {why}; each try loads it again, and "
            f"`roost snapshot policy {bundle} auto` lets it start cold until then",
            bundle=bundle,
        )


class SnapshotFailed(RoostError):
    """A snapshot could not be made; an earlier one is left as it was."""

    code = "snapshot_failed"

    def __init__(self, bundle: str, phase: str, why: str) -> None:
        super().__init__(
            f"the snapshot of {bundle!r} was not made, it broke off at {phase}: {why}",
            bundle=bundle,
            phase=phase,
        )


class TemplateFailed(Unavailable):
    """The prepared process of a snapshot did not come up."""

    code = "template_failed"


class RestoreFailed(Unavailable):
    """A process could not be started from a snapshot."""

    code = "restore_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"nothing was started from the snapshot: {reason}; the next start is cold",
            reason=reason,
        )


class DaemonStartFailed(Unavailable):
    """The daemon was started and did not come up."""

    code = "daemon_start_failed"


def _described(cause: BaseException) -> str:
    """Return an exception as people know it: its type, and its text where it has one."""
    return f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__


def _subclasses(base: type[RoostError]) -> Iterator[type[RoostError]]:
    for child in base.__subclasses__():
        yield child
        yield from _subclasses(child)


def error_classes() -> dict[str, type[RoostError]]:
    """Return every error class by its code."""
    return {RoostError.code: RoostError} | {cls.code: cls for cls in _subclasses(RoostError)}


def error_from_wire(code: str, message: str, details: dict[str, Any]) -> RoostError:
    """Rebuild the error a daemon answered with; an unknown code becomes a plain `RoostError`."""
    cls = error_classes().get(code, RoostError)
    error = cls.__new__(cls)
    RoostError.__init__(error, message, **details)
    return error
