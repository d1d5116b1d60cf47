"""The template: loads a bundle's code once, then forks a process for every start.

It never leaves its loop by itself: the end of the control socket ends it at once, without running
what the app has registered for a shutdown. A copy does leave it, by returning, so that it shuts
down as a plain start does.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import sys
import time
from typing import Any

from . import checks, hooks, loading, program, reprs, restore, watch, wire
from .apps import SdkApp
from .family import Family
from .order import Gate, Order


def main(descriptor: int) -> None:
    """Be a template until the daemon goes, or one of its copies until the program ends."""
    serve(Template, descriptor)


def serve(kind: type[Template], descriptor: int) -> None:
    """Load, wait for orders, and be what was asked for in the process that is to become that."""
    spec = wire.read_memory(descriptor)
    control = socket.socket(fileno=spec["control_fd"])
    if spec["format"] != wire.FORMAT:
        _break_off(control, "its daemon speaks another version of the protocol")
    template = kind(spec, control)
    template.prepare()
    order = template.serve()
    if order is None:
        os._exit(0)
    template.become(order)


class Template:
    """A loaded process that forks a copy for every order.

    Args:
        spec: what it loads; see `wire`.
        control: the daemon's word.
    """

    def __init__(self, spec: wire.Message, control: socket.socket) -> None:
        self._spec = spec
        self._control = control
        self._kind: str = spec["kind"]
        self._target: str = spec["target"]
        self._origin = restore.Origin.here(spec["hooks"])
        self._family = Family()
        self._app: SdkApp | None = None
        self._script: program.Compiled | None = None

    def prepare(self) -> None:
        """Load, let hooks and checks have their say, and tell what came of it."""
        spec = self._spec
        gc.disable()
        program.fresh_main()
        sys.argv[:] = [self._target]
        watch.install(spec)
        loading.set_paths(spec["paths"], spec["path0"])
        own = loading.names_of_entry(self._kind, self._target)
        loaded = loading.load(spec["modules"], spec["exclude"], own)
        if self._kind == "app":
            self._load_app(loaded)
        if spec["hooks"]:
            self._run_hooks()
        problems = checks.run(spec)
        found = reprs.collect(spec["modules"]) if spec["compare"] else None
        self._get_ahead()
        ready: wire.Message = {
            "ev": "ready",
            "loaded": loaded.count,
            "failed": loaded.failed,
            "poisoned": loaded.poisoned,
            "import_ms": round(loaded.took_s * 1000),
            "has_hooks": hooks.are_registered() or self._app is not None,
            "problems": problems,
            "reprs": found,
        }
        wire.send(self._control, ready)
        del ready, problems, found
        gc.collect()
        if spec["forks"]:
            gc.freeze()

    def serve(self) -> Order | None:
        """Fork on request; return None when the daemon is gone, and the order in a copy."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor != self._control.fileno():
                    self._tell_end(descriptor, poll)
                    continue
                received = wire.receive(self._control)
                if received is None:
                    return None
                order = self._do(*received, poll)
                if order is not None:
                    return order

    def become(self, order: Order) -> None:
        """Be what was asked for: take its shape, wait to be owned, run the entry."""
        self._control.close()
        gate = Gate(order.gate)
        try:
            restore.take_shape(order, self._origin)
            gate.wait_for_go()
            if self._origin.has_hooks:
                restore.run_hooks()
        except restore.NotRestored as error:
            gate.fail(str(error))
        except BaseException as error:  # noqa: BLE001 - its text may hold anything, so it is told without
            gate.fail(f"the launcher failed with {type(error).__name__}")
        if self._app is not None:
            sys.exit(self._app.run(gate.tell_restored))
        gate.tell_restored()
        # A script by the path that this start gives it, as relative as that is.
        target = sys.argv[0] if self._kind == "script" else self._target
        program.run(self._kind, target, self._script)

    def _get_ahead(self) -> None:
        """Do once what every copy would have to do; no more of the launcher is imported then."""
        if self._kind == "script":
            self._script = program.Compiled.ahead(self._target)
        _hide_launcher()

    def _load_app(self, loaded: loading.Loaded) -> None:
        try:
            self._app = SdkApp(self._target)
        except Exception as error:  # noqa: BLE001 - whatever an app raises while it is loaded
            loaded.failed.append((self._target, f"{type(error).__name__}: {error}"))

    def _run_hooks(self) -> None:
        wire.send(self._control, {"ev": "freezing"})
        try:
            hooks.before_snapshot()
            if self._app is not None:
                self._app.freeze()
        except Exception as error:  # noqa: BLE001 - whatever a hook raises breaks it off
            is_ours = isinstance(error, hooks.HookFailed)
            reason = str(error) if is_ours else f"its freeze raised {type(error).__name__}"
            _break_off(self._control, reason)
        wire.send(self._control, {"ev": "frozen"})

    def _do(self, message: wire.Message, descriptors: list[int], poll: select.poll) -> Order | None:
        operation = message["op"]
        if operation == "start":
            return self.start(Order.from_message(message, descriptors), poll)
        if operation == "reap":
            self._family.reap(message["pid"])
        elif operation == "measure":
            wire.send(self._control, {"ev": "measured", "pss_kb": _pss_kb()})
        return None

    def start(self, order: Order, poll: select.poll) -> Order | None:
        """Start a process; return the order in the one that is to become it."""
        began = time.perf_counter()
        try:
            pid = self._family.fork(order.number)
        except OSError as error:
            order.close()
            reason = f"the machine has no room for another process ({error.strerror})"
            wire.send(self._control, {"ev": "refused", "id": order.number, "reason": reason})
            return None
        if pid == 0:
            os.setsid()
            return order
        order.close()
        pidfd = self._family.watch(pid, poll)
        took_ms = (time.perf_counter() - began) * 1000
        started = {"ev": "started", "id": order.number, "pid": pid, "fork_ms": round(took_ms, 2)}
        wire.send(self._control, started, [pidfd])
        return None

    def _tell_end(self, pidfd: int, poll: select.poll) -> None:
        ended = self._family.ended(pidfd, poll)
        if ended is not None:
            number, pid, status = ended
            wire.send(self._control, {"ev": "exit", "id": number, "pid": pid, "status": status})


def _hide_launcher() -> None:
    """Take the launcher's modules away; what is on the stack keeps what it needs."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "_roost_launcher"]:
        del sys.modules[name]


def _break_off(control: socket.socket, reason: str) -> None:
    wire.send(control, {"ev": "broken", "reason": reason})
    os._exit(wire.EXIT_NOT_RESTORED)


def _pss_kb() -> int | None:
    try:
        with open("/proc/self/smaps_rollup", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    found: list[Any] = [line.split()[1] for line in lines if line.startswith(b"Pss:")]
    return int(found[0]) if found else None
