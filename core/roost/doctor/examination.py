"""`examine`: every check at once, each within bounds, none able to spoil the others."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from roost.doctor import keys, machine, owner, places, runtimes, settings_file, storage
from roost.doctor.findings import problem, warning
from roost.doctor.surroundings import Surroundings
from roost.models.doctor import Finding

DEADLINE_S = 10.0
"""A program that does not answer is ended after half of it; a file system that does not, is named
as the reason."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at."""

    name: str
    run: Callable[[Surroundings], Finding | None]
    """Returns what was found under this name, or None when there is nothing to say."""


CHECKS = (
    Check("data_dir", places.check_data_dir),
    Check("filesystem", places.check_filesystem),
    Check("permissions", places.check_permissions),
    Check("settings", settings_file.check_settings),
    Check("lock", owner.check_lock),
    Check("socket", owner.check_socket),
    Check("daemons", owner.check_daemons),
    Check("database", storage.check_database),
    Check("keyring", keys.check_key),
    Check("runtime_python", runtimes.check_python),
    Check("runtime_uv", runtimes.check_uv),
    Check("runtime_node", runtimes.check_node),
    Check("runtime_npx", runtimes.check_npx),
    Check("runtime_git", runtimes.check_git),
    Check("disk", storage.check_disk),
    Check("log", storage.check_log),
    Check("limits", machine.check_limits),
    Check("clock", machine.check_clock),
)
"""In the order in which they are told."""


def examine(
    surroundings: Surroundings,
    checks: Sequence[Check] = CHECKS,
    *,
    deadline_s: float = DEADLINE_S,
) -> tuple[Finding, ...]:
    """Run the checks beside one another and return their findings in order; blocks.

    Args:
        surroundings: what is looked at.
        checks: what to look at.
        deadline_s: seconds after which a check that has not ended is reported as such.
    """
    results: queue.SimpleQueue[tuple[str, Finding | None]] = queue.SimpleQueue()
    for check in checks:
        _begin(check, surroundings, results)
    found = _collected(results, len(checks), time.monotonic() + deadline_s)
    told = (found.get(check.name, _unfinished(check, deadline_s)) for check in checks)
    return tuple(finding for finding in told if finding is not None)


def _begin(
    check: Check,
    surroundings: Surroundings,
    results: queue.SimpleQueue[tuple[str, Finding | None]],
) -> None:
    def run() -> None:
        results.put((check.name, _run(check, surroundings)))

    # Not an executor: its threads are joined when the interpreter ends, and one that waits for a
    # dead network mount never ends.
    thread = threading.Thread(target=run, name=f"doctor-{check.name}", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        said = "this could not be checked: no thread can be started"
        mend = "raise the limit of processes, `ulimit -u`, or end what uses it up"
        results.put((check.name, problem(check.name, said, mend)))


def _run(check: Check, surroundings: Surroundings) -> Finding | None:
    try:
        return check.run(surroundings)
    except Exception as error:  # noqa: BLE001 - whatever a machine comes up with is a finding
        # Without the error's text, which may quote what it read.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else ""
        kind = f"{type(error).__name__}{': ' + reason if reason else ''}"
        return problem(
            check.name,
            f"this could not be checked ({kind})",
            "look at it by hand, and report this if it looks right",
        )


def _collected(
    results: queue.SimpleQueue[tuple[str, Finding | None]], count: int, deadline: float
) -> dict[str, Finding | None]:
    found: dict[str, Finding | None] = {}
    while len(found) < count:
        try:
            name, finding = results.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            break
        found[name] = finding
    return found


def _unfinished(check: Check, deadline_s: float) -> Finding:
    return warning(
        check.name,
        f"this did not end within {deadline_s:g} s",
        "a file system or a program does not answer; look for one with `df` and `ps`",
    )
