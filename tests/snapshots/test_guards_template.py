"""The guards inside of a template: exclusions, native threads, and what they leave behind."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from tests.snapshots.guard_bench import CORPUS, LAUNCHER, App, corpus_app, template

from roost.snapshots.backend import Hazard
from roost.snapshots.launcher import checks, facts

pytestmark = pytest.mark.real

THREAD_LIBRARY = """
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static void *wait_forever(void *unused) {
    (void)unused;
    for (;;) pause();
}

int start(void) {
    pthread_t thread;
    return pthread_create(&thread, 0, wait_forever, 0);
}

static void handle(int number) { (void)number; }

int handle_signal(int number) {
    return signal(number, handle) == SIG_ERR;
}
"""


def app_of(folder: Path, **sources: str) -> App:
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    return App(str(folder / "main.py"), path0=str(folder))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("library")
    source, target = folder / "waits.c", folder / f"waits{sysconfig.get_config_var('SHLIB_SUFFIX')}"
    source.write_text(THREAD_LIBRARY)
    argv = [compiler, "-shared", "-fPIC", "-pthread", "-o", str(target), str(source)]
    subprocess.run(argv, check=True, timeout=60)
    return target


def test_a_native_thread_that_forks_do_not_end_is_a_problem(tmp_path: Path, library: Path) -> None:
    source = f"import ctypes\nassert ctypes.CDLL({str(library)!r}).start() == 0"
    app = app_of(tmp_path, native=source)
    problems = template(app, ["native"]).problems
    assert problems == (Hazard("native_thread", "native", "left 1 native threads"),)


def test_threads_that_end_by_themselves_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [3, 2, 1]
    monkeypatch.setattr(facts, "task_count", lambda: counts.pop(0))
    monkeypatch.setattr(facts, "python_threads", lambda: 0)
    monkeypatch.setattr(checks, "GRACE_S", 60.0)
    checks.wait_for_threads()
    assert counts == []


def test_a_signal_handler_below_python_is_a_problem(tmp_path: Path, library: Path) -> None:
    source = f"import ctypes\nassert ctypes.CDLL({str(library)!r}).handle_signal(12) == 0"
    app = app_of(tmp_path, native=source)
    (problem,) = template(app, ["native"]).problems
    assert problem.guard == "process_state"
    assert "12" in problem.what


def test_everything_that_wants_an_excluded_module_is_poisoned(tmp_path: Path) -> None:
    app = app_of(
        tmp_path,
        leaf="",
        excluded="raise AssertionError('loaded')",
        wants="import leaf\nimport excluded",
        wants_that="import wants",
        fine="import leaf",
    )
    modules = ["leaf", "wants", "wants_that", "fine"]
    report = template(app, modules, exclude=["excluded"])
    assert set(report.poisoned) == {"wants", "wants_that"}
    assert report.failed == ()
    assert report.loaded == 2


def test_all_modules_in_whose_middle_an_excluded_one_is_wanted_are_poisoned(tmp_path: Path) -> None:
    app = app_of(tmp_path, excluded="", inner="import excluded", outer="import inner")
    report = template(app, ["outer"], exclude=["excluded"])
    assert report.poisoned == ("outer", "inner")


@pytest.mark.parametrize("catching", ["ImportError", "Exception"])
def test_an_excluded_module_is_not_replaced_by_what_stands_in_for_it(
    tmp_path: Path, catching: str
) -> None:
    source = f"try:\n    import excluded\nexcept {catching}:\n    excluded = None\n"
    app = app_of(tmp_path, excluded="", careful=source)
    report = template(app, ["careful"], exclude=["excluded"])
    assert (report.poisoned, report.loaded) == (("careful",), 0)


def test_a_module_that_catches_everything_is_poisoned_all_the_same(tmp_path: Path) -> None:
    source = "try:\n    import excluded\nexcept BaseException:\n    excluded = None\n"
    app = app_of(tmp_path, excluded="", careless=source)
    assert template(app, ["careless"], exclude=["excluded"]).poisoned == ("careless",)


def test_to_ask_where_an_excluded_module_is_does_no_harm(tmp_path: Path) -> None:
    source = "import importlib.util\nHAS = importlib.util.find_spec('excluded') is not None"
    app = app_of(tmp_path, excluded="", asks=source)
    report = template(app, ["asks"], exclude=["excluded"])
    assert (report.poisoned, report.loaded) == ((), 1)


def test_an_exclusion_that_comes_too_late_is_a_problem(tmp_path: Path) -> None:
    report = template(app_of(tmp_path), [], exclude=["json"])
    assert [(one.guard, one.module) for one in report.problems] == [("import_failed", "json")]


def test_a_problem_is_the_innermost_modules(tmp_path: Path) -> None:
    inner = "import sys\nsys.stdout.write('hello')\nFILE = open('/dev/null')"
    app = app_of(tmp_path, inner=inner, outer="import inner")
    problems = template(app, ["outer"]).problems
    assert {(one.guard, one.module) for one in problems} == {
        ("output", "inner"),
        ("open_descriptor", "inner"),
    }


def test_what_a_module_put_back_is_no_problem_of_a_template(tmp_path: Path) -> None:
    source = "FILE = open('/dev/null')\nFILE.close()\nimport subprocess\nsubprocess.run(['true'])"
    assert template(app_of(tmp_path, tidy=source), ["tidy"]).problems == ()


def test_a_canary_is_found_where_it_is_kept(tmp_path: Path) -> None:
    problems = template(corpus_app("native_posix"), ["native_posix"], canary=True).problems
    assert [(one.guard, one.module) for one in problems] == [("native_environ", "native_posix")]


def test_a_canary_is_not_found_in_modules_that_do_not_look_for_it() -> None:
    modules = ["asyncio", "email", "ssl", "subprocess", "fine_logger"]
    assert template(corpus_app("fine_logger"), modules, canary=True).problems == ()


@pytest.mark.parametrize(
    ("name", "is_found"),
    [("environ_dict", False), ("native_getenv", True), ("native_posix", True)],
)
def test_a_canary_below_is_found_by_what_reads_there_and_is_in_no_allowed_copy(
    name: str, is_found: bool
) -> None:
    problems = template(corpus_app(name), [name], canary=True, environ_copied=True).problems
    assert {one.guard for one in problems} == ({"native_environ"} if is_found else set())


def test_values_are_compared_as_digests_only(tmp_path: Path) -> None:
    source = (
        "WORD = 'rather-secret'\n\n\nclass Client:\n    word = 'rather-secret'\n    other = 1\n"
    )
    reprs = template(app_of(tmp_path, words=source), ["words"], compare=True).reprs
    assert reprs is not None
    assert set(reprs) == {"words:WORD", "words:Client.word", "words:Client.other"} | {
        key for key in reprs if key.startswith(("words:__", "words:Client.__"))
    }
    assert reprs["words:WORD"] == reprs["words:Client.word"] != reprs["words:Client.other"]
    assert "rather-secret" not in repr(reprs)


def test_what_a_module_writes_is_counted_and_not_told(tmp_path: Path) -> None:
    app = app_of(tmp_path, loud="import sys\nsys.stderr.write('no licence\\n')")
    report = template(app, ["loud"])
    assert [one.what for one in report.problems] == ["wrote 11 bytes to standard error"]


def test_the_launcher_needs_nothing_of_roost() -> None:
    for path in LAUNCHER.glob("*.py"):
        assert "import roost" not in path.read_text()
        assert "from roost" not in path.read_text()
    assert CORPUS.is_dir()
