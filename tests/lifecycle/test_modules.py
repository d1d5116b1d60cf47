"""Importing an entry: what is taken for the app, what is said otherwise, and who may step in."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from roost import App
from roost.errors import BadInput, EntryFailed, EntryNotFound
from roost.lifecycle.entry import Entry, resolve_entry
from roost.lifecycle.modules import (
    clear_module_loader,
    import_module,
    load_entry,
    load_module,
    module_loader,
    set_module_loader,
)

pytestmark = pytest.mark.usefixtures("clean_imports")

ONE = "from roost import App\n{name} = App('greeter')\n"
TWO = "from roost import App\nfirst, second = App('first'), App('second')\n"


def entry_of(directory: Path, code: str, attribute: str = "") -> Entry:
    (directory / "lab_app.py").write_text(code)
    return resolve_entry(f"lab_app.py{attribute}", directory)


@pytest.mark.parametrize("name", ["app", "site", "_hidden"])
def test_the_only_app_of_a_module_is_found_under_any_name(name: str, tmp_path: Path) -> None:
    assert load_entry(entry_of(tmp_path, ONE.format(name=name)), App).name == "greeter"


def test_an_app_with_two_names_is_one_app(tmp_path: Path) -> None:
    code = ONE.format(name="site") + "default = site\n"
    assert load_entry(entry_of(tmp_path, code), App).name == "greeter"


def test_the_name_app_is_taken_before_any_other(tmp_path: Path) -> None:
    assert load_entry(entry_of(tmp_path, TWO + "app = second\n"), App).name == "second"


def test_two_apps_are_both_named(tmp_path: Path) -> None:
    with pytest.raises(EntryNotFound, match="more than one App, 'first' and 'second'; name the"):
        load_entry(entry_of(tmp_path, TWO), App)


def test_an_attribute_says_which_one_is_meant(tmp_path: Path) -> None:
    assert load_entry(entry_of(tmp_path, TWO, ":second"), App).name == "second"


def test_an_attribute_may_lie_deeper_than_the_module(tmp_path: Path) -> None:
    code = "from roost import App\nclass Apps:\n    site = App('inner')\n"
    assert load_entry(entry_of(tmp_path, code, ":Apps.site"), App).name == "inner"


@pytest.mark.parametrize(
    ("code", "attribute", "said"),
    [
        ("x = 1\n", "", r"has nothing of type App: looked for 'app' and for any other name"),
        ("app = object()\n", "", r"has nothing of type App: looked for 'app'"),
        (
            TWO,
            ":third",
            r"names 'third', which is not there; .* are of type App: 'first', 'second'",
        ),
        ("x = 1\n", ":app", r"names 'app', which is not there; .* are of type App: none"),
        ("app = 'text'\n", ":app", r"is of type str, not App"),
        (TWO, ":App", r"is of type type, not App"),
    ],
)
def test_what_is_no_app_is_refused_with_what_was_looked_for_and_what_is_there(
    code: str, attribute: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(EntryNotFound, match=said):
        load_entry(entry_of(tmp_path, code, attribute), App)


@pytest.mark.parametrize("entry", ["no_such_module_here", "json.no_such_module", "lab_app.web"])
def test_a_module_that_does_not_exist_is_named_with_the_directory(
    entry: str, tmp_path: Path
) -> None:
    (tmp_path / "lab_app.py").write_text(ONE.format(name="app"))
    with pytest.raises(EntryNotFound, match=f"there is no module '{entry}' in {tmp_path}"):
        load_entry(resolve_entry(entry, tmp_path), App)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_dependency\n", "ModuleNotFoundError: No module named 'no_such_dependency"),
        ("from json import no_such_name\n", "ImportError"),
        ("def broken(:\n", "SyntaxError"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
    ],
)
@pytest.mark.parametrize("form", ["lab_app.py", "lab_app"])
def test_code_that_raises_is_the_apps_own_failure_and_leaves_no_trace(
    code: str, said: str, form: str, tmp_path: Path
) -> None:
    entry_of(tmp_path, "import sys\nsys.path.insert(0, '/somewhere')\n" + code)
    before = list(sys.path)
    with pytest.raises(EntryFailed, match=f"could not be loaded: {said}") as raised:
        load_entry(resolve_entry(form, tmp_path), App)
    assert raised.value.__cause__ is not None
    assert sys.path == before and "lab_app" not in sys.modules
    entry_of(tmp_path, ONE.format(name="app"))
    assert load_entry(resolve_entry(form, tmp_path), App).name == "greeter", "once it is mended"


def test_an_error_of_ours_in_the_apps_code_stays_what_it_is(tmp_path: Path) -> None:
    code = ONE.format(name="app") + "app.web(app, port=70000)\n"
    before = list(sys.path)
    with pytest.raises(BadInput, match="is no ASGI application"):
        load_entry(entry_of(tmp_path, code), App)
    assert sys.path == before


def test_the_apps_own_modules_can_be_imported_from_wherever_it_lies(tmp_path: Path) -> None:
    inner = tmp_path / "src"
    inner.mkdir()
    (inner / "lab_helper.py").write_text("NAME = 'helped'\n")
    (inner / "lab_app.py").write_text(
        "from roost import App\nimport lab_helper\napp = App(lab_helper.NAME)\n"
    )
    assert load_entry(resolve_entry("src/lab_app.py", tmp_path), App).name == "helped"
    assert sys.path[0] == str(inner)


def test_a_module_that_imports_its_app_gets_the_same_one(tmp_path: Path) -> None:
    (tmp_path / "lab_routes.py").write_text("import lab_app\nseen = lab_app.app\n")
    code = ONE.format(name="app") + "import lab_routes\n"
    app = load_entry(entry_of(tmp_path, code), App)
    assert sys.modules["lab_routes"].seen is app
    assert load_entry(entry_of(tmp_path, code), App) is app, "a module is imported once"


def test_a_file_whose_name_is_taken_by_another_module_is_imported_all_the_same(
    tmp_path: Path,
) -> None:
    (tmp_path / "json.py").write_text(ONE.format(name="app"))
    import json

    assert load_entry(resolve_entry("json.py", tmp_path), App).name == "greeter"
    assert sys.modules["json"] is json


def test_the_module_of_an_entry_does_not_run_its_main_block(tmp_path: Path) -> None:
    code = ONE.format(name="app") + "if __name__ == '__main__':\n    raise SystemExit(app.run())\n"
    assert load_entry(entry_of(tmp_path, code), App).exit_status is None


def module_with(name: str) -> ModuleType:
    module = ModuleType("made")
    vars(module)["app"] = App(name)
    return module


def test_a_module_loader_set_twice_and_cleared_once_leaves_the_usual_import(
    tmp_path: Path,
) -> None:
    entry = entry_of(tmp_path, ONE.format(name="app"))
    set_module_loader(lambda _: module_with("first"))
    set_module_loader(lambda _: module_with("second"))
    assert load_entry(entry, App).name == "second"
    assert "lab_app" not in sys.modules
    clear_module_loader()
    assert load_entry(entry, App).name == "greeter"
    clear_module_loader()
    assert load_module(entry) is sys.modules["lab_app"]


def test_a_module_loader_of_a_block_is_gone_after_it_also_when_it_raises(tmp_path: Path) -> None:
    entry = entry_of(tmp_path, ONE.format(name="app"))
    seen: list[Entry] = []

    def load(given: Entry) -> ModuleType:
        seen.append(given)
        return import_module(given)

    with module_loader(load):
        assert load_entry(entry, App).name == "greeter"
    assert seen == [entry]

    def fail(_: Entry) -> ModuleType:
        raise OSError("the archive is gone")

    before = list(sys.path)
    with pytest.raises(EntryFailed, match="OSError: the archive is gone"), module_loader(fail):
        load_module(entry)
    assert sys.path == before
    load_module(entry)
    assert seen == [entry]
