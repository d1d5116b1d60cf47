"""`clear_strays`: what no kept version of a bundle needs is removed from the data directory."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

from roost.bundles.prepared_places import PreparedPlaces
from roost.bundles.unpacked import BundleFolders
from roost.models import Definition


def clear_strays(data_dir: Path, kept: Collection[Definition]) -> None:
    """Remove half-made and unneeded bundle directories and prepared environments.

    Called before any install or start can be under way. Blocks: call it in a thread.

    Args:
        data_dir: the daemon's data directory.
        kept: definitions of every kept version of every bundle.
    """
    folders = BundleFolders(data_dir / "bundles")
    folders.remove_partials()
    folders.remove_strays([definition.root for definition in kept if definition.root is not None])
    places = PreparedPlaces(data_dir / "prepared", sys.executable)
    places.clear_leftovers()
    for place in places.unused(kept):
        places.remove(place)
