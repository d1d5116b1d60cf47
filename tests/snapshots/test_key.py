from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.snapshot_keys import ENV, BundleOnDisk

from roost.models import Reason
from roost.models.codec import to_json
from roost.snapshots.backend import FORMAT
from roost.snapshots.key import content_change, key_parts
from roost.snapshots.stamps import first_change, stamps

LATER_NS = 1_800_000_000_000_000_000


@pytest.fixture
def bundle(tmp_path: Path) -> BundleOnDisk:
    return BundleOnDisk(tmp_path).make()


def told(change: Reason | None) -> str:
    assert change is not None
    assert change.sentence.startswith(f"{change.code}: ")
    return change.sentence


def touched(path: Path) -> Path:
    os.utime(path, ns=(LATER_NS, LATER_NS))
    return path


def test_nothing_has_changed_right_after_the_key_was_made(bundle: BundleOnDisk) -> None:
    key = bundle.key()
    assert bundle.change(key) is None
    assert content_change(key) is None
    assert bundle.key().digest == key.digest


def test_a_changed_source_is_told_with_its_time(bundle: BundleOnDisk) -> None:
    key = bundle.key()
    touched(bundle.script)
    assert told(bundle.change(key)) == (
        f"sources: {bundle.script} was changed at 2027-01-15 08:00:00 UTC"
    )


def test_a_source_that_is_gone_is_told(bundle: BundleOnDisk) -> None:
    key = bundle.key()
    bundle.package.unlink()
    assert told(bundle.change(key)) == f"sources: {bundle.package} is gone"


def test_a_file_put_in_the_place_of_another_is_seen_though_size_and_time_are_the_same(
    bundle: BundleOnDisk,
) -> None:
    key = bundle.key()
    before = bundle.package.stat()
    other = bundle.package.with_name("other.py")
    other.write_text("x = 2\n")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(bundle.package)
    assert told(bundle.change(key)).startswith(f"sources: {bundle.package} was replaced at ")


def test_another_content_of_the_bundles_own_files_is_seen_where_the_stat_is_the_same(
    bundle: BundleOnDisk,
) -> None:
    key = bundle.key()
    before = bundle.script.stat()
    bundle.script.write_text("import evil!\n")
    os.utime(bundle.script, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert bundle.change(key) is None
    assert str(bundle.script) in told(content_change(key))


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ("interpreter", "bin/python"),
        ("interpreter", "pyvenv.cfg"),
        ("packages", "lib/site-packages/fetch-1.2.dist-info/RECORD"),
        ("lockfile", "app/uv.lock"),
        ("paths", "lib/site-packages/a.pth"),
        ("sources", "lib/json.py"),
    ],
)
def test_each_part_is_named(bundle: BundleOnDisk, part: str, place: str) -> None:
    key = bundle.key()
    path = touched(bundle.root / place)
    assert told(bundle.change(key)).startswith(f"{part}: {path} ")


def test_a_package_that_no_module_comes_from_does_not_count(bundle: BundleOnDisk) -> None:
    key = bundle.key()
    assert [(each.name, each.version) for each in key.packages] == [("fetch", "1.2")]
    touched(bundle.root / "lib" / "site-packages" / "other-1.dist-info" / "RECORD")
    assert bundle.change(key) is None


@pytest.mark.parametrize(
    "place",
    [
        "lib/site-packages/b.pth",
        "app/json.py",
        "app/fetch",
        "app/fetch.cpython-311-x86_64-linux-gnu.so",
        "lib/site-packages/json.py",
    ],
)
def test_a_new_file_that_decides_what_is_loaded_is_seen(bundle: BundleOnDisk, place: str) -> None:
    key = bundle.key()
    new = bundle.root / place
    new.write_text("")
    assert told(bundle.change(key)) == f"paths: {new} is new, and decides what is loaded"


@pytest.mark.parametrize("place", ["app/fetch.log", "app/state.py", "app/fetch-2.0.dist-info"])
def test_a_new_file_of_another_name_changes_nothing(bundle: BundleOnDisk, place: str) -> None:
    key = bundle.key()
    (bundle.root / place).write_text("")
    assert bundle.change(key) is None


@pytest.mark.parametrize(
    "changed",
    [{"LANG": "de_DE"}, {"PYTHONHASHSEED": "1"}, {"LC_ALL": "de_AT"}, {"LD_PRELOAD": "/x.so"}],
)
def test_a_variable_that_works_before_the_program_is_named_and_its_value_is_not(
    bundle: BundleOnDisk, changed: dict[str, str]
) -> None:
    key = bundle.key()
    (name, value), *_ = changed.items()
    sentence = told(bundle.change(key, env=ENV | changed))
    assert sentence == f"environment: {name} has another value"
    assert value not in sentence


def test_a_variable_that_went_away_counts(bundle: BundleOnDisk) -> None:
    without = {name: value for name, value in ENV.items() if name != "LANG"}
    assert "LANG" in told(bundle.change(bundle.key(), env=without))


@pytest.mark.parametrize("changed", [{"LOG_LEVEL": "loud"}, {"UNSET": ""}])
def test_a_variable_that_was_read_while_loading_makes_the_start_cold_by_name(
    bundle: BundleOnDisk, changed: dict[str, str]
) -> None:
    (name,) = changed
    sentence = told(bundle.change(bundle.key(), env=ENV | changed))
    assert sentence == f"environment: {name}, which is read while it is loaded, has another value"


def test_other_variables_and_new_credentials_change_nothing(bundle: BundleOnDisk) -> None:
    key = bundle.key()
    assert bundle.change(key, env=ENV | {"TOKEN": "another", "OTHER": "1"}) is None


WITHOUT_LEVEL = {name: value for name, value in ENV.items() if name != "LOG_LEVEL"}


@pytest.mark.parametrize(
    ("env", "credentials", "told_of"),
    [
        (ENV | {"EXTRA": "1"}, {"TOKEN"}, "EXTRA is set now"),
        (WITHOUT_LEVEL, {"TOKEN"}, "LOG_LEVEL is not set any more"),
        (ENV | {"PATH": "/usr/bin"}, {"TOKEN"}, "PATH has another value"),
        (ENV | {"SECOND": "s3cret-2"}, {"TOKEN", "SECOND"}, "SECOND is set now"),
        (ENV | {"TOKEN": "none"}, set(), "TOKEN has another value"),
    ],
)
def test_the_whole_environment_counts_once_an_allowed_module_copies_it(
    bundle: BundleOnDisk, env: dict[str, str], credentials: set[str], told_of: str
) -> None:
    key = bundle.key(allowed=("git.cmd",), copied_by=("git.cmd",))
    change = bundle.change(key, env=env, credentials=frozenset(credentials), allowed=("git.cmd",))
    assert told(change) == (
        f"environment: {told_of}, and git.cmd copied all of it while it was loaded"
    )
    [part] = [part for part in key_parts(key) if part.what == "environment"]
    assert part.sentence.endswith("because git.cmd copied all of them")


def test_new_values_of_credentials_and_what_roost_sets_count_for_no_copy(
    bundle: BundleOnDisk,
) -> None:
    key = bundle.key(allowed=("git",), copied_by=("git",))
    env = ENV | {"TOKEN": "another-secret", "ROOST_MARK": "x/2"}
    assert bundle.change(key, env=env, allowed=("git",)) is None


def test_another_list_of_allowed_modules_is_told(bundle: BundleOnDisk) -> None:
    key = bundle.key(allowed=("git", "settings"))
    assert bundle.change(key, allowed=("git", "settings")) is None
    change = told(bundle.change(key))
    assert change.endswith("may copy the environment were git, settings, and are none")
    assert key.digest != bundle.key().digest


def test_no_value_of_any_variable_is_in_a_key(bundle: BundleOnDisk) -> None:
    pinned = to_json(bundle.key(allowed=("git",), copied_by=("git",))).decode()
    assert not [value for value in ("C.UTF-8", "quiet-level", "s3cret-value") if value in pinned]
    text = to_json(bundle.key()).decode()
    for value in ("C.UTF-8", "quiet-level", "s3cret-value", "TOKEN"):
        assert value not in text


def test_another_entry_is_told_before_any_file_is_looked_at(bundle: BundleOnDisk) -> None:
    key = bundle.key()
    touched(bundle.script)
    other = replace(bundle.entry, interpreter="/usr/bin/python3.12")
    assert told(bundle.change(key, entry=other)).startswith("interpreter: it was ")
    moved = replace(bundle.entry, path0="/srv")
    assert told(bundle.change(key, entry=moved)).startswith("entry: it ran in ")
    renamed = replace(bundle.entry, target="/srv/other.py")
    assert "is the script /srv/other.py" in told(bundle.change(key, entry=renamed))
    flagged = replace(bundle.entry, flags=("-O",), own_argv=2)
    assert told(bundle.change(key, entry=flagged)).endswith(f"is {bundle.python} -O")


def test_what_is_excluded_and_the_version_of_the_interpreter_are_in_the_digest(
    bundle: BundleOnDisk,
) -> None:
    key = bundle.key()
    digests = {
        key.digest,
        replace(key, exclude=("git",)).digest,
        replace(key, version="3.11.8").digest,
        replace(key, paths=("/x",)).digest,
        replace(key, format=FORMAT + 1).digest,
    }
    assert len(digests) == 5


def test_a_module_in_an_archive_counts_as_the_archive(bundle: BundleOnDisk) -> None:
    archive = bundle.root / "lib" / "code.zip"
    archive.write_bytes(b"PK")
    key = bundle.key(files=(f"{archive}/pkg/mod.py",))
    assert [each.path for each in key.sources] == [str(archive)]


def test_the_parts_tell_what_was_looked_at(bundle: BundleOnDisk) -> None:
    parts = {part.what: part.sentence for part in key_parts(bundle.key())}
    assert parts["sources"] == "3 files, 1 of them the bundle's own"
    assert parts["packages"] == "1 package"
    assert parts["entry"] == f"script {bundle.script}"
    assert parts["lockfile"] == str(bundle.script.parent / "uv.lock")
    assert (
        parts["environment"] == "set before the start: LANG; read while loading: LOG_LEVEL, UNSET"
    )


def test_a_thousand_files_are_looked_at_within_the_time_of_a_start(tmp_path: Path) -> None:
    paths = [tmp_path / f"m{number}.py" for number in range(1000)]
    for path in paths:
        path.touch()
    before = stamps(map(str, paths))
    began = time.perf_counter()
    assert first_change(before) is None
    assert time.perf_counter() - began < 2.0
    touched(paths[-1])
    assert first_change(before) is not None
