"""Runs one module under the launcher: traced, and loaded in a template; without a daemon."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from roost.snapshots.backend import Hazard, TemplateReport, Trace
from roost.snapshots.launcher import wire
from roost.snapshots.trace_file import read_trace

LAUNCHER = Path(wire.__file__).parent

CORPUS = Path(__file__).with_name("corpus")

BOUND_S = 100.0
"""For one process, on a machine that is busy with other tests."""

CREDENTIAL = "API_KEY"

CREDENTIAL_VALUE = "tried-once-and-thrown-away-5f7b2c"

# As few variables as a process can do with, so that a test says what is in its environment.
BASE_ENV = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/", "APP_COLOR": "never"}


@dataclass(frozen=True, slots=True)
class App:
    """What is run, as a plain start has it."""

    target: str
    argv: tuple[str, ...] = ()
    kind: str = "script"
    interpreter: str = sys.executable
    path0: str | None = None
    env: tuple[tuple[str, str], ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        return {**BASE_ENV, **dict(self.env)}


def corpus_app(*names: str, interpreter: str = sys.executable) -> App:
    """Return the app that imports modules of the corpus."""
    script = str(CORPUS / "run_them.py")
    return App(script, names, interpreter=interpreter, path0=str(CORPUS))


def trace(app: App, *, until: bytes | None = None, say: bytes = b"") -> Trace:
    """Run an app under trace.

    Args:
        app: the app.
        until: what it writes when it is ready; without, it is run to its end.
        say: what it is told on its standard input.
    """
    with memory(b"") as journal:
        spec = {"format": 1, "kind": app.kind, "target": app.target, "argv": app.argv}
        env = {**app.environment, CREDENTIAL: CREDENTIAL_VALUE}
        with launched(app, "trace", {**spec, "trace_fd": journal}, (journal,), env) as process:
            _run(process, until, say)
        content = os.pread(journal, os.fstat(journal).st_size, 0)
    assert CREDENTIAL_VALUE.encode() not in content
    return read_trace(content)


def template(
    app: App,
    modules: Sequence[str],
    *,
    exclude: Iterable[str] = (),
    canary: bool = False,
    environ_copied: bool = False,
    compare: bool = False,
    paths: Sequence[str] = (),
) -> TemplateReport:
    """Load modules in a template and return what it reports."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    spec = {
        "format": 1,
        "kind": app.kind,
        "target": app.target,
        "modules": [*modules],
        "paths": [*paths],
        "path0": app.path0,
        "exclude": [*exclude],
        "forks": True,
        "control_fd": theirs.fileno(),
        "hooks": False,
        "compare": compare,
        "canary": {"name": CREDENTIAL, "value": CREDENTIAL_VALUE} if canary else None,
        "environ_copied": environ_copied,
    }
    env = app.environment
    if canary:
        env[CREDENTIAL] = CREDENTIAL_VALUE
    if compare:
        env["PYTHONHASHSEED"] = "0"
    with ours, launched(app, "template", spec, (theirs.fileno(),), env) as process:
        theirs.close()
        ours.settimeout(BOUND_S)
        received = wire.receive(ours)
        ours.close()
        told, _ = process.communicate(timeout=BOUND_S)
    assert received is not None, told.decode()
    return _report(received[0])


def _report(message: wire.Message) -> TemplateReport:
    assert message["ev"] == "ready", message
    return TemplateReport(
        loaded=message["loaded"],
        failed=tuple((module, error) for module, error in message["failed"]),
        poisoned=tuple(message["poisoned"]),
        problems=tuple(
            Hazard(one["guard"], one["module"], one["what"]) for one in message["problems"]
        ),
        import_ms=message["import_ms"],
        reprs=message["reprs"],
    )


@contextmanager
def launched(
    app: App, mode: str, spec: Mapping[str, object], inherited: tuple[int, ...], env: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with memory(json.dumps(spec).encode()) as told:
        process = subprocess.Popen(
            [app.interpreter, str(LAUNCHER), mode, str(told), ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(told, *inherited),
            env=env,
            cwd=app.path0 or "/",
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def memory(content: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("test")
    try:
        os.write(descriptor, content)
        yield descriptor
    finally:
        os.close(descriptor)


def run_plain(app: App, *argv: str) -> str:
    """Run an app as it is started without Roost, and return what it says."""
    words = [app.target] if app.kind == "script" else ["-m", app.target]
    return subprocess.run(
        [app.interpreter, *words, *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BOUND_S,
        check=True,
        env=app.environment,
        cwd=app.path0,
    ).stdout


def run_traced(app: App, *argv: str) -> str:
    """Run an app under trace to its end, and return what it says."""
    with memory(b"") as journal:
        spec = {"format": 1, "kind": app.kind, "target": app.target, "argv": argv}
        inherited = (journal,)
        with launched(app, "trace", {**spec, "trace_fd": journal}, inherited, app.environment) as p:
            told, _ = p.communicate(timeout=BOUND_S)
            assert p.returncode == 0, told.decode()
    return told.decode()


def _run(process: subprocess.Popen[bytes], until: bytes | None, say: bytes) -> None:
    if until is None:
        told, _ = process.communicate(say or None, timeout=BOUND_S)
        assert process.returncode == 0, told.decode()[-2000:]
        return
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(say)
    process.stdin.flush()
    # Bounded by the test's own time limit: the end of the process ends this as well.
    lines = []
    for line in process.stdout:
        lines.append(line.decode(errors="replace"))
        if until in line:
            return
    raise AssertionError(f"it ended before it was ready: {''.join(lines)}")


@cache
def interpreter(minor: str) -> str | None:
    """Return an interpreter of this version; None where there is none."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == minor:
        return sys.executable
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    installed = sorted(map(str, versions.glob(f"{minor}.*/bin/python{minor}")))
    for found in (shutil.which(f"python{minor}"), *installed):
        if found is not None and (told := _executable(found)) is not None:
            return told
    return None


def _executable(python: str) -> str | None:
    """Return what an interpreter says it is; a manager's stand-in may have none behind it."""
    asked = subprocess.run(
        [python, "-c", "import sys; print(sys.executable)"],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    return asked.stdout.strip() or None if asked.returncode == 0 else None
