"""Tells everything that a program can see of its own process, as one line of JSON.

It is run as a plain start and restored from a template, and both have to say the same.
"""

import asyncio
import gc
import json
import locale
import logging
import multiprocessing
import os
import pickle
import resource
import signal
import sys
import threading
import time
import warnings
from typing import Any


class Sample:
    """Pickled here and by reference, so it has to be found again in `__main__`."""

    value: int = 3


def double(number: int) -> int:
    return 2 * number


def fill(queue: "multiprocessing.SimpleQueue[object]") -> None:
    queue.put([os.path.basename(sys.argv[0]), os.getcwd(), double(21), pickle.loads(SAMPLE).value])


LIMITS = sorted(name for name in dir(resource) if name.startswith("RLIMIT_"))

SAMPLE = pickle.dumps(Sample())


def stream_facts(stream: Any) -> dict[str, Any]:
    return {
        "name": stream.name,
        "mode": stream.mode,
        "encoding": stream.encoding,
        "errors": stream.errors,
        "line": stream.line_buffering,
        "through": stream.write_through,
        "buffer": type(stream.buffer).__name__,
        "buffer_name": stream.buffer.name,
        "seekable": stream.seekable(),
        "readable": stream.readable(),
        "terminal": stream.isatty(),
        "fileno": stream.fileno(),
    }


def descriptor_facts() -> dict[str, Any]:
    import fcntl

    found: dict[str, Any] = {}
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        try:
            kind = os.readlink(f"/proc/self/fd/{number}").partition(":[")[0]
            flags = fcntl.fcntl(number, fcntl.F_GETFL), fcntl.fcntl(number, fcntl.F_GETFD)
        except OSError:
            continue  # the directory that was just listed
        found[str(number)] = [kind, *flags]
    return found


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def status_lines() -> list[str]:
    names = ("Umask", "SigBlk", "SigIgn", "SigCgt", "NoNewPrivs", "Threads", "Cpus_allowed_list")
    with open("/proc/self/status") as status:
        return [line.strip() for line in status if line.startswith(names)]


def main_facts() -> dict[str, Any]:
    import __main__

    loader = vars(__main__)["__loader__"]
    space = {k: v for k, v in vars(__main__).items() if k.startswith("__")}
    return {
        "names": list(space),
        "name": __name__,
        "file": __file__,
        "package": __package__,
        "spec": __spec__ and [__spec__.name, __spec__.origin, __spec__.parent, __spec__.cached],
        "loader": [type(loader).__name__, getattr(loader, "path", None)],
        "cached": space.get("__cached__", "none"),
        "annotations": repr(space.get("__annotations__")),
        "builtins": type(space["__builtins__"]).__name__,
        "is_in_modules": sys.modules["__main__"].__dict__ is globals(),
        "pickled": type(pickle.loads(SAMPLE)) is Sample,
    }


def process_facts() -> dict[str, Any]:
    me = os.getpid()
    with open("/proc/self/comm") as comm, open("/proc/self/cmdline", "rb") as line:
        shown = comm.read(), line.read().rstrip(b"\0").decode()
    return {
        "shown": shown,
        "leads": [os.getsid(0) == me, os.getpgid(0) == me],
        "limits": [[n, resource.getrlimit(getattr(resource, n))] for n in LIMITS],
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "ids": [os.getresuid(), os.getresgid(), os.getgroups()],
        "status": status_lines(),
        "native_id": threading.main_thread().native_id == threading.get_native_id() == me,
        "threads": threading.active_count(),
        "ident": threading.main_thread().ident == threading.get_ident(),
        "cwd": os.getcwd(),
        "timers": [signal.getitimer(n) for n in (0, 1, 2)],
        "children": read("/proc/thread-self/children"),
    }


def interpreter_facts() -> dict[str, Any]:
    import posix

    return {
        "argv": sys.argv,
        "orig_argv": sys.orig_argv,
        "path": sys.path,
        "flags": repr(sys.flags),
        "xoptions": sys._xoptions,
        "warnoptions": sys.warnoptions,
        "filters": [repr(each) for each in warnings.filters],
        "executable": [sys.executable, sys.prefix, sys.base_prefix],
        "hooks": [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__],
        "finders": [getattr(f, "__name__", type(f).__name__) for f in sys.meta_path],
        "limits": [sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits()],
        "traced": [sys.gettrace(), sys.getprofile()],
        "launcher": [name for name in sys.modules if "launcher" in name],
        "environ": sorted(os.environ.items()),
        "bytes": os.environb == {os.fsencode(k): os.fsencode(v) for k, v in os.environ.items()},
        "below": {os.fsdecode(k): os.fsdecode(v) for k, v in posix.environ.items()} == os.environ,
        "streams": [stream_facts(s) for s in (sys.stdin, sys.stdout, sys.stderr)],
        "own": [
            sys.stdin is sys.__stdin__,
            sys.stdout is sys.__stdout__,
            sys.stderr is sys.__stderr__,
        ],
        "locale": [
            locale.setlocale(locale.LC_ALL),
            locale.getpreferredencoding(),
            sys.getfilesystemencoding(),
            sys.getfilesystemencodeerrors(),
        ],
        "zone": [time.tzname, time.timezone],
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_debug()],
        "handlers": [
            repr(signal.getsignal(n)).split(" at ")[0] for n in sorted(signal.valid_signals())
        ],
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "is_started_now": abs(time.time() - started()) < 60,
        "wakeup": signal.set_wakeup_fd(-1),
    }


def started() -> float:
    at: float = vars(logging)["_startTime"]
    return at / 1e9 if isinstance(at, int) else at


def multiprocessing_facts() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for method in ("fork", "spawn", "forkserver"):
        context: Any = multiprocessing.get_context(method)
        queue = context.SimpleQueue()
        process = context.Process(target=fill, args=(queue,))
        process.start()
        found[method] = [queue.get(), process.join(60), process.exitcode]
    return found


async def shell() -> list[object]:
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", "cat; exit 5", stdin=-1, stdout=-1, stderr=-1
    )
    out, err = await process.communicate(b"through")
    return [out.decode(), err.decode(), process.returncode]


def main() -> None:
    facts = {
        "descriptors": descriptor_facts(),
        "main": main_facts(),
        "process": process_facts(),
        "interpreter": interpreter_facts(),
        "input": sys.stdin.read(),
    }
    if "deep" in sys.argv:
        facts["multiprocessing"] = multiprocessing_facts()
        facts["asyncio"] = asyncio.run(shell())
    print(json.dumps(facts, default=repr))


if __name__ == "__main__":
    main()
