"""The launcher's trace: what it sees, whom it blames, and that the app does not notice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.snapshots.guard_bench import (
    BASE_ENV,
    CREDENTIAL,
    LAUNCHER,
    App,
    launched,
    memory,
    run_plain,
    run_traced,
    trace,
)

from roost.snapshots.backend import Hazard, Trace

pytestmark = pytest.mark.real


class Folder:
    """A folder of modules, and the app whose script is `main.py` there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **sources: str) -> App:
        for name, source in sources.items():
            target = self.path / (name.replace("__in__", "/") + ".py")
            target.parent.mkdir(exist_ok=True)
            target.write_text(source)
        return App(str(self.path / "main.py"), path0=str(self.path))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    yield Folder(tmp_path)


def names(traced: Trace, *wanted: str) -> list[str]:
    return [module.name for module in traced.modules if module.name in wanted]


def parents(traced: Trace) -> dict[str, str | None]:
    return {module.name: module.parent for module in traced.modules}


def test_modules_come_leaves_first_with_who_imported_them(folder: Folder) -> None:
    app = folder.write(main="import top", top="import middle", middle="import leaf", leaf="")
    traced = trace(app)
    assert names(traced, "top", "middle", "leaf") == ["leaf", "middle", "top"]
    found = parents(traced)
    assert (found["leaf"], found["middle"], found["top"]) == ("middle", "top", None)
    files = {module.name: module.file for module in traced.modules}
    assert files["leaf"] == str(folder.path / "leaf.py")


def test_modules_that_are_imported_by_a_function_call_are_seen(folder: Folder) -> None:
    app = folder.write(
        main="import importlib\nimportlib.import_module('by_call')\nimportlib.import_module('two')",
        by_call="import importlib\nimportlib.import_module('leaf')",
        two="",
        leaf="",
    )
    assert names(trace(app), "by_call", "leaf", "two") == ["leaf", "by_call", "two"]


def test_modules_that_the_app_imports_later_in_a_thread_are_seen(folder: Folder) -> None:
    main = (
        "import threading\n"
        "thread = threading.Thread(target=lambda: __import__('late'))\n"
        "thread.start()\nthread.join()\n"
    )
    app = folder.write(main=main, late="import os\nKEY = os.environ['API_KEY']\n")
    traced = trace(app)
    assert names(traced, "late") == ["late"]
    assert [r.module for r in traced.environment if r.name == CREDENTIAL] == ["late"]


def test_imports_of_what_is_loaded_already_are_seen(folder: Folder) -> None:
    app = folder.write(
        main="import leaf, a, package.b",
        leaf="NAME = 1",
        a="import leaf",
        package__in____init__="",
        package__in__b="from . import c\nfrom leaf import NAME",
        package__in__c="",
    )
    imports = set(trace(app).imports)
    assert {("a", "leaf"), ("package.b", "leaf"), ("package.b", "package.c")} <= imports


def test_a_module_that_failed_is_none_and_its_importer_is_one(folder: Folder) -> None:
    app = folder.write(
        main="import careful",
        careful="try:\n    import broken\nexcept RuntimeError:\n    pass",
        broken="import leaf\nraise RuntimeError",
        leaf="",
    )
    assert names(trace(app), "careful", "broken", "leaf") == ["leaf", "careful"]


def test_a_hazard_is_the_innermost_executing_modules(folder: Folder) -> None:
    app = folder.write(
        main="import outer",
        outer="import inner",
        inner="import helper\nKEYS = helper.everything()",
        helper="import os\n\n\ndef everything():\n    return dict(os.environ)",
    )
    assert trace(app).hazards == (Hazard("environ_copy", "inner", "copied the whole environment"),)


def test_what_a_module_that_a_module_imports_left_open_is_not_blamed_on_both(
    folder: Folder,
) -> None:
    app = folder.write(main="import outer", outer="import inner", inner="FILE = open('/dev/null')")
    (hazard,) = trace(app).hazards
    assert (hazard.guard, hazard.module) == ("open_descriptor", "inner")


def test_what_the_app_does_when_it_runs_is_no_hazard(folder: Folder) -> None:
    main = """
import library
import os, signal, socket, sys, threading
library.run()
signal.signal(signal.SIGTERM, lambda *_: None)
held = open('/dev/null')
server = socket.create_server(('127.0.0.1', 0))
os.environ['MODE'] = 'x'
threading.Thread(target=threading.Event().wait, daemon=True).start()
print(sys.argv)
"""
    library = """
import os


def run():
    os.chdir('/')
    return os.environ['API_KEY'], dict(os.environ)
"""
    traced = trace(folder.write(main=main, library=library))
    assert traced.hazards == ()
    assert CREDENTIAL not in {read.name for read in traced.environment}


def test_a_variable_that_the_app_changed_before_an_import_is_a_hazard(folder: Folder) -> None:
    app = folder.write(
        main="import os\nos.environ['APP_COLOR'] = 'always'\nimport late",
        late="import os\nCOLOR = os.environ.get('APP_COLOR')",
    )
    (hazard,) = trace(app).hazards
    assert (hazard.guard, hazard.module) == ("environ_changed", "late")


def test_a_thread_that_is_started_by_a_module_is_found_in_the_middle_of_an_import(
    folder: Folder,
) -> None:
    app = folder.write(
        main="import outer",
        outer="import inner\ninner.start()",
        inner=(
            "import threading\n\n\ndef start():\n"
            "    threading.Thread(target=threading.Event().wait, daemon=True).start()"
        ),
    )
    assert [(h.guard, h.module) for h in trace(app).hazards] == [("python_thread", "outer")]


SELF_PORTRAIT = """
import json, pickle, sys, threading, os
main = sys.modules["__main__"]
print(json.dumps({
    "argv": list(sys.argv), "type": type(pickle.loads(pickle.dumps(sys.argv))).__name__,
    "orig": list(sys.orig_argv)[1:], "path": sys.path, "name": __name__, "file": __file__,
    "spec": repr(__spec__ and __spec__.name), "package": __package__, "keys": sorted(vars(main)),
    "descriptors": len(os.listdir("/proc/self/fd")), "stack": len(threading.enumerate()),
    "modules": sorted(n for n in sys.modules if "roost" in n),
}))
"""


def test_a_traced_script_looks_to_itself_like_a_plain_one(folder: Folder) -> None:
    app = folder.write(main=SELF_PORTRAIT)
    plain, traced = json.loads(run_plain(app, "a", "b")), json.loads(run_traced(app, "a", "b"))
    # The file of the trace, and the launcher's modules, whose names no app uses.
    assert traced.pop("descriptors") == plain.pop("descriptors") + 1
    assert all(name.startswith("_roost_launcher") for name in traced.pop("modules"))
    assert plain.pop("modules") == []
    assert traced == plain


def test_a_traced_module_looks_to_itself_like_a_plain_one(folder: Folder) -> None:
    folder.write(main="", tool__in____init__="", tool__in____main__=SELF_PORTRAIT)
    app = App("tool", kind="module", path0=str(folder.path))
    plain, traced = json.loads(run_plain(app, "a")), json.loads(run_traced(app, "a"))
    for told in (plain, traced):
        del told["descriptors"], told["modules"]
    assert traced == plain


@pytest.mark.parametrize(
    ("source", "status"), [("import sys\nsys.exit(3)", 3), ("raise ValueError('why')", 1)]
)
def test_a_traced_app_ends_as_it_would(folder: Folder, source: str, status: int) -> None:
    app = folder.write(main=source)
    spec = {"format": 1, "kind": "script", "target": app.target, "argv": []}
    with (
        memory(b"") as journal,
        launched(app, "trace", {**spec, "trace_fd": journal}, (journal,), BASE_ENV) as process,
    ):
        told, _ = process.communicate(timeout=60)
        assert process.returncode == status
    assert str(LAUNCHER).encode() not in told


@pytest.mark.parametrize("error", ["import missing_module", "raise ValueError('why')"])
def test_a_failed_import_shows_the_launcher_nowhere(folder: Folder, error: str) -> None:
    main = "import traceback\ntry:\n    import a\nexcept Exception:\n    traceback.print_exc()\n"
    app = folder.write(main=main, a="import b", b="import c", c=error)
    told = run_traced(app).splitlines()
    # The outermost statement's own frame of the import machinery is all that there is more.
    assert len([line for line in told if "importlib" in line]) <= 1
    assert [line for line in told if "importlib" not in line] == run_plain(app).splitlines()


def test_what_a_forked_process_imports_is_not_the_apps(folder: Folder) -> None:
    main = (
        "import os\npid = os.fork()\n"
        "if pid == 0:\n    import late\n    os._exit(0)\n"
        "os.waitpid(pid, 0)\nimport own\n"
    )
    app = folder.write(main=main, late="import os\nos.environ['API_KEY']", own="")
    traced = trace(app)
    assert names(traced, "late", "own") == ["own"]
    assert traced.environment == ()


def test_an_app_that_has_used_up_its_descriptors_imports_as_ever(folder: Folder) -> None:
    main = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open('/dev/null', os.O_RDONLY))
except OSError:
    pass
__import__(next(name for name in sys.builtin_module_names if name not in sys.modules))
print('fine')
"""
    assert run_traced(folder.write(main=main)) == "fine\n"
