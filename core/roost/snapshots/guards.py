"""The guards: what must not be in a template, and what follows when one finds it."""

from __future__ import annotations

from enum import StrEnum

from roost.models.snapshot import GuardAction


class Guard(StrEnum):
    """Stable names, as findings carry them."""

    CREDENTIAL_READ = "credential_read"
    ENVIRON_COPY = "environ_copy"
    NATIVE_ENVIRON = "native_environ"
    ENVIRON_CHANGED = "environ_changed"
    PYTHON_THREAD = "python_thread"
    NATIVE_THREAD = "native_thread"
    OPEN_DESCRIPTOR = "open_descriptor"
    EVENT_LOOP = "event_loop"
    PROCESS_STATE = "process_state"
    ARGUMENTS = "arguments"
    OUTPUT = "output"
    PER_PROCESS_VALUE = "per_process_value"
    IMPORT_FAILED = "import_failed"


EXCLUDED_FROM_TEMPLATE = frozenset(
    {Guard.PYTHON_THREAD, Guard.OPEN_DESCRIPTOR, Guard.OUTPUT, Guard.ENVIRON_CHANGED}
)
"""What a loaded template has too much of, and would not have without the module that left it.

Output counts here because a module that is left out prints again at each start, as it should.
"""

HARMLESS_WITHOUT_FORK = frozenset(
    {Guard.PYTHON_THREAD, Guard.NATIVE_THREAD, Guard.OPEN_DESCRIPTOR, Guard.EVENT_LOOP}
)
"""What a process that is loaded and then used itself keeps as a plain start would."""

WAYS_OUT = {
    Guard.CREDENTIAL_READ: "read it in a function that is called when the app runs",
    Guard.ENVIRON_COPY: "make the settings in a function that is called when the app runs",
    Guard.NATIVE_ENVIRON: "read the environment when the app runs, and by os.environ",
    Guard.ENVIRON_CHANGED: "change the environment in the bundle's settings instead",
    Guard.PYTHON_THREAD: "start threads and pools when the app runs",
    Guard.NATIVE_THREAD: "load the library when the app runs",
    Guard.OPEN_DESCRIPTOR: "open files and connections when the app runs",
    Guard.EVENT_LOOP: "make the loop with asyncio.run when the app runs",
    Guard.PROCESS_STATE: "do it in a function that is called when the app runs",
    Guard.ARGUMENTS: "look at the arguments and the working directory when the app runs",
    Guard.OUTPUT: "print when the app runs",
    Guard.PER_PROCESS_VALUE: "make it in a function that is called when the app runs",
    Guard.IMPORT_FAILED: "let the module be imported by itself, without the rest of the app",
}
"""What the app's author can do; an operator can always leave the bundle to cold starts."""


def action_in_template(guard: Guard, module: str | None) -> GuardAction:
    """Return what follows from a problem of a loaded template."""
    if module is not None and guard in EXCLUDED_FROM_TEMPLATE:
        return GuardAction.EXCLUDE
    return GuardAction.REFUSE
