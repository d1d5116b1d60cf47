"""The entry point of an app: who names it, and what is said when nothing is there."""

from pathlib import Path

import pytest

from roost.errors import BadConfigFile, EntryNotFound
from roost.lifecycle.entry import BY_DEFAULT, BY_OPTION, Entry, resolve_entry

OWN = 'entry = "own.py:app"\n'
PROJECT = '[tool.roost]\nentry = "project.py"\n[project]\nname = "x"\n'
FILES = ("app.py", "main.py", "own.py", "project.py", "option.py")


def write(directory: Path, **files: str) -> None:
    """Write files by name; a double underscore stands for a dot."""
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(text)


def every_source(directory: Path) -> None:
    write(directory, roost__toml=OWN, pyproject__toml=PROJECT)
    for name in FILES:
        (directory / name).touch()


def test_the_option_wins_then_the_apps_own_file_then_its_project_then_the_built_in_names(
    tmp_path: Path,
) -> None:
    every_source(tmp_path)

    def found(option: str | None = None) -> tuple[str, str]:
        entry = resolve_entry(option, tmp_path)
        assert entry.path is not None and entry.path.parent == entry.directory == tmp_path
        return entry.path.name, entry.origin

    assert found("option.py") == ("option.py", BY_OPTION)
    for nothing in (None, ""):
        assert found(nothing) == ("own.py", str(tmp_path / "roost.toml"))
    (tmp_path / "roost.toml").write_text('title = "something else"\n')
    assert found() == ("project.py", str(tmp_path / "pyproject.toml"))
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert found() == ("app.py", BY_DEFAULT)
    (tmp_path / "app.py").unlink()
    assert found() == ("main.py", BY_DEFAULT)


@pytest.mark.parametrize(
    ("text", "module", "path", "attribute"),
    [
        ("shop", "shop", None, ""),
        ("shop.web", "shop.web", None, ""),
        ("shop.web:site", "shop.web", None, "site"),
        ("shop:Site.app", "shop", None, "Site.app"),
        ("app.py", "", "app.py", ""),
        ("app.py:site", "", "app.py", "site"),
        ("./app.py", "", "app.py", ""),
        ("src/web.py:app", "", "src/web.py", "app"),
    ],
)
def test_an_entry_is_a_module_or_a_file_and_an_attribute_of_it(
    text: str, module: str, path: str | None, attribute: str, tmp_path: Path
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "web.py").touch()
    (tmp_path / "app.py").touch()
    expected = Entry(tmp_path, module, path and tmp_path / path, attribute, BY_OPTION)  # type: ignore[arg-type]
    assert resolve_entry(text, tmp_path) == expected


def test_a_full_path_needs_no_directory(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    assert resolve_entry(str(tmp_path / "app.py")).path == tmp_path / "app.py"


@pytest.mark.parametrize("text", [":app", "shop:", "shop:1x", "shop:a b", "my shop", "shop..web"])
def test_a_text_that_is_no_entry_is_refused_with_the_forms_there_are(
    text: str, tmp_path: Path
) -> None:
    with pytest.raises(EntryNotFound, match=r"the option names as the app, is no entry; write MOD"):
        resolve_entry(text, tmp_path)


def test_a_file_that_is_not_there_is_named_with_who_asked_for_it(tmp_path: Path) -> None:
    with pytest.raises(EntryNotFound, match=f"no file {tmp_path}/gone.py, which the option names"):
        resolve_entry("gone.py", tmp_path)
    write(tmp_path, roost__toml='entry = "gone.py"\n', app__py="")
    with pytest.raises(EntryNotFound, match=f"gone.py, which {tmp_path}/roost.toml names"):
        resolve_entry(None, tmp_path)


def test_where_nothing_is_found_everything_that_was_looked_for_is_named(tmp_path: Path) -> None:
    with pytest.raises(EntryNotFound) as raised:
        resolve_entry(None, tmp_path)
    for looked_for in (str(tmp_path), "roost.toml", "[tool.roost]", "app.py", "main.py"):
        assert looked_for in raised.value.message


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"roost__toml": "entry = \n"}, "roost.toml is no valid TOML"),
        ({"roost__toml": "entry = 3\n"}, "the entry in .*roost.toml is no text"),
        ({"roost__toml": 'entry = ""\n'}, "the entry in .*roost.toml is no text"),
        ({"roost__toml": 'entry = ["app.py"]\n'}, "the entry in .*roost.toml is no text"),
        ({"pyproject__toml": "[tool.roost\n"}, "pyproject.toml is no valid TOML"),
        ({"pyproject__toml": "tool = 3\n"}, "'tool' in .*pyproject.toml is no table"),
        ({"pyproject__toml": "[tool]\nroost = 'app'\n"}, "'roost' in .* is no table"),
        ({"pyproject__toml": "[tool.roost]\nentry = false\n"}, "the entry in .* is no text"),
    ],
)
def test_a_malformed_file_is_refused_even_if_a_built_in_name_would_do(
    files: dict[str, str], said: str, tmp_path: Path
) -> None:
    write(tmp_path, app__py="", **files)
    with pytest.raises(BadConfigFile, match=said):
        resolve_entry(None, tmp_path)
    assert resolve_entry("app.py", tmp_path).path == tmp_path / "app.py", "the option needs no file"


def test_a_file_that_is_no_text_or_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "roost.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadConfigFile, match=r"roost.toml is no valid TOML"):
        resolve_entry(None, tmp_path)
    (tmp_path / "roost.toml").unlink()
    (tmp_path / "roost.toml").mkdir()
    with pytest.raises(BadConfigFile, match=r"roost.toml cannot be read \(Is a directory\)"):
        resolve_entry(None, tmp_path)


def test_resolving_imports_nothing(tmp_path: Path) -> None:
    write(tmp_path, app__py="raise SystemExit('imported')\n")
    assert resolve_entry(None, tmp_path).path == tmp_path / "app.py"
