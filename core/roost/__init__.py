"""Roost: the terminal control plane for apps.

Importing this package loads the standard library only; everything heavier is behind its
subpackages. What apps are written with is loaded when it is asked for.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers take it for true; the module typing costs milliseconds
if TYPE_CHECKING:
    from roost.app import App, load_for_snapshot, restore

__all__ = ["App", "__version__", "load_for_snapshot", "restore"]

_OF_THE_SDK = frozenset({"App", "load_for_snapshot", "restore"})


if not TYPE_CHECKING:  # or else every name of the package would do for them

    def __getattr__(name: str) -> object:
        if name not in _OF_THE_SDK:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from roost import app  # deferred: most who import roost need nothing of it

        return getattr(app, name)
