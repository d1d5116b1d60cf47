"""Prepared places that nothing needs are told from those that are needed, and removed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from roost.bundles.prepared_places import PreparedPlaces
from roost.models import BundleKind, Definition, Runtime, Source, SourceKind

TIME = Definition(
    kind=BundleKind.MCP_STDIO,
    runtime=Runtime.PYTHON,
    title="Time",
    version="1",
    command="${prepared}/bin/time",
    source=Source(SourceKind.PYPI, "time==1"),
    requirements=("time==1",),
)
PLAIN = replace(TIME, requirements=())


def made(places: PreparedPlaces, definition: Definition) -> Path:
    place = places.place(definition)
    assert place is not None
    (place / "bin").mkdir(parents=True)
    return place


def test_only_places_that_no_kept_definition_needs_are_unused(tmp_path: Path) -> None:
    places = PreparedPlaces(tmp_path / "prepared", "/opt/python")
    assert places.unused([TIME]) == ()
    kept, left = made(places, TIME), made(places, replace(TIME, requirements=("time==2",)))
    (tmp_path / "prepared" / f"{kept.name}.partial").mkdir()
    (tmp_path / "prepared" / "notes").mkdir()
    assert places.unused([TIME, PLAIN]) == (left,)
    assert set(places.unused([PLAIN])) == {kept, left}


def test_a_removed_place_is_gone_with_all_it_held(tmp_path: Path) -> None:
    places = PreparedPlaces(tmp_path, "/opt/python")
    place = made(places, TIME)
    places.remove(place)
    places.remove(place)
    assert list(tmp_path.iterdir()) == []


def test_a_definition_without_needs_has_no_place(tmp_path: Path) -> None:
    assert PreparedPlaces(tmp_path, "/opt/python").place(PLAIN) is None


def test_what_a_killed_daemon_left_half_made_or_half_removed_is_cleared(tmp_path: Path) -> None:
    places = PreparedPlaces(tmp_path, "/opt/python")
    place = made(places, TIME)
    for ending in ("partial", "removed"):
        (tmp_path / f"{place.name}.{ending}" / "bin").mkdir(parents=True)
    (tmp_path / "mine.partial").mkdir()
    assert places.clear_leftovers() == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [place.name, "mine.partial"]
    assert PreparedPlaces(tmp_path / "nowhere", "/opt/python").clear_leftovers() == 0


@pytest.mark.parametrize("name", ["../x", "notes", "0123456789abcdef.partial"])
def test_nothing_but_a_place_is_ever_removed(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no prepared place"):
        PreparedPlaces(tmp_path, "/opt/python").remove(tmp_path / name)
