"""Looks for what may not be in a template, once it has imported everything.

Each check yields problems: the guard's name, the module where it is known, and a part of a
sentence. Names and counts only; no value of the app is in them.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

from . import facts, watch

GRACE_S = 0.2
"""Threads of native libraries that only start something are gone by then."""

PAUSE_S = 0.01

Problem = dict[str, Any]


def run(spec: dict[str, Any]) -> list[Problem]:
    """Return the problems of this template, and take away what `watch` put into it.

    Args:
        spec: of the template.
    """
    state = watch.current()
    state.imports.remove()
    gc.collect()
    # The output comes first: a warning that a check causes is not the app's.
    problems = [*_output(state)]
    wait_for_threads()
    for check in (_python_threads, _descriptors, _loop, _process, _arguments, _environ, _late):
        problems += check(state)
    if spec["forks"]:
        problems += _native_threads(state)
    problems += _canary(state)
    state.remove()
    return problems


def _problem(guard: str, module: str | None, what: str) -> Problem:
    return {"guard": guard, "module": module, "what": what}


def _output(state: watch.Watch) -> Iterator[Problem]:
    names = {1: "standard output", 2: "standard error"}
    for number, size in state.output.sizes().items():
        if size:
            module = next(
                (
                    module
                    for (kind, value), module in state.claimed.items()
                    if kind == "output" and isinstance(value, tuple) and value[0] == number
                ),
                None,
            )
            yield _problem("output", module, f"wrote {size} bytes to {names[number]}")


def _python_threads(state: watch.Watch) -> Iterator[Problem]:
    count = facts.python_threads()
    threading = sys.modules.get("threading")
    main = threading.main_thread() if threading else None
    names = [one.name for one in threading.enumerate() if one is not main] if threading else []
    if count or names:
        named = ", ".join(names) if names else f"{count} without a name"
        yield _problem("python_thread", state.module_of("task"), f"left threads running: {named}")


def _descriptors(state: watch.Watch) -> Iterator[Problem]:
    for number in sorted(facts.descriptors()):
        if number not in state.baseline.descriptors:
            module = state.module_of("descriptor", number)
            target = facts.descriptor_target(number)
            yield _problem("open_descriptor", module, f"left a descriptor open on {target}")


def _loop(state: watch.Watch) -> Iterator[Problem]:
    if facts.event_loop() is not None:
        module = state.module_of("loop")
        yield _problem("event_loop", module, "set an event loop for the thread")


def _process(state: watch.Watch) -> Iterator[Problem]:
    yield from _children()
    for timer in facts.timers():
        module = state.module_of("timer", timer)
        yield _problem("process_state", module, f"started the timer {timer}")
    yield from _signals(state)
    for mapping in _added(facts.shared_mappings(), state.baseline.mappings):
        yield _problem("process_state", None, f"mapped memory that is shared: {mapping}")


def _children() -> Iterator[Problem]:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return
    yield _problem("process_state", None, "left child processes")


def _signals(state: watch.Watch) -> Iterator[Problem]:
    now = facts.handlers()
    changed = {number for number, was in state.baseline.handlers.items() if now[number] is not was}
    for number in sorted(changed):
        module = state.module_of("signal", (number, id(now[number])))
        yield _problem("process_state", module, f"set a handler for signal {number}")
    masks = facts.signal_masks()
    for name, was in state.baseline.masks.items():
        below = [n for n in _bits(masks[name] ^ was) if n not in changed | facts.OF_LIBC]
        if below:
            numbers = ", ".join(map(str, below))
            yield _problem("process_state", None, f"changed what signals {numbers} do ({name})")


def _bits(mask: int) -> list[int]:
    return [number for number in facts.SIGNALS if mask >> (number - 1) & 1]


def _added(now: list[str], before: list[str]) -> list[str]:
    return sorted(one for one in set(now) if now.count(one) > before.count(one))


def _arguments(state: watch.Watch) -> Iterator[Problem]:
    if os.getcwd() != state.baseline.folder:
        yield _problem("arguments", None, "changed the working directory")


def _environ(state: watch.Watch) -> Iterator[Problem]:
    changed = {name for name, _ in facts.environ().items() ^ state.environ.items()}
    if changed:
        listed = ", ".join(sorted(map(os.fsdecode, changed)))
        yield _problem("environ_changed", None, f"changed the environment: {listed}")


def _late(state: watch.Watch) -> Iterator[Problem]:
    for module in state.excluded_too_late:
        yield _problem("import_failed", module, "is loaded before a template can leave it out")


def wait_for_threads() -> None:
    """Let threads that are beginning become Python's, and those that are ending end."""
    gives_up_at = time.monotonic() + GRACE_S
    while facts.task_count() > 1 + facts.python_threads() and time.monotonic() < gives_up_at:
        time.sleep(PAUSE_S)


def _native_threads(state: watch.Watch) -> Iterator[Problem]:
    ours = 1 + facts.python_threads()
    if facts.task_count() <= ours:
        return
    # Libraries that know of forks end their threads before one and start them again when needed.
    _probe_fork()
    rest = facts.task_count() - ours
    if rest > 0:
        yield _problem("native_thread", state.module_of("task"), f"left {rest} native threads")


def _probe_fork() -> None:
    with warnings.catch_warnings():
        # From 3.12 on a fork beside other threads warns; here it is the question.
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _canary(state: watch.Watch) -> Iterator[Problem]:
    if state.canary is None:
        return
    for module in state.canary.new_holders():
        yield _problem("native_environ", module, "keeps a credential read below os.environ")
    copies = state.canary.new_copies()
    if copies:
        what = f"left {copies} copies of a credential in memory, read below os.environ"
        yield _problem("native_environ", None, what)
