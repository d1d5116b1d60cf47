"""What a boot removes from the data directory, and what it leaves."""

import sys
from dataclasses import replace
from pathlib import Path

from tests.support.fake_engine import bundle_view, definition_of

from roost.bundles import clear_strays
from roost.bundles.prepared_places import PreparedPlaces
from roost.models import Runtime


def test_only_what_no_kept_version_needs_is_removed(tmp_path: Path) -> None:
    kept = replace(
        definition_of(bundle_view("app")),
        runtime=Runtime.PYTHON,
        requirements=("kept==1",),
        root=None,
    )
    needed = PreparedPlaces(tmp_path / "prepared", sys.executable).place(kept)
    assert needed is not None
    unused = needed.with_name("0" * 16)
    half_made = needed.with_name(f"{needed.name}.partial")
    stranger = tmp_path / "prepared" / "notes"
    for directory in (needed, unused, half_made, stranger):
        (directory / "bin").mkdir(parents=True)
    clear_strays(tmp_path, [kept])
    assert sorted(path.name for path in (tmp_path / "prepared").iterdir()) == sorted(
        [needed.name, stranger.name]
    )


def test_a_data_directory_without_any_of_it_is_fine(tmp_path: Path) -> None:
    clear_strays(tmp_path, [])
    assert not list(tmp_path.iterdir())
