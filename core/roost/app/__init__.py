"""The SDK for Python apps: one `App` runs the same by hand, by Roost and from a snapshot.

Importing it loads the standard library only; a web app's server is loaded with the app.
"""

from roost.app.app import App
from roost.app.snapshot import load_for_snapshot, restore
from roost.app.stop_request import StopRequest

__all__ = ["App", "StopRequest", "load_for_snapshot", "restore"]
