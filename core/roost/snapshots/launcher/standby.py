"""The standby: loads a bundle's code once, waits, and becomes the one process that is started.

There is no fork, so threads, descriptors and event loops of the app's imports stay what they are.
It leads a session of its own from its beginning, as a plain start does.
"""

from __future__ import annotations

import select

from .order import Order
from .template import Template, serve


def main(descriptor: int) -> None:
    """Be a standby until the daemon goes, or what was asked for until the program ends."""
    serve(Standby, descriptor)


class Standby(Template):
    """A loaded process that is used once."""

    def start(self, order: Order, poll: select.poll) -> Order | None:
        """Return the order: this process becomes what it asks for."""
        return order
