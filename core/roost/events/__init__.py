"""The event bus: one numbered stream of changes for any number of viewers."""

from roost.events.bus import EventBus, Subscription

__all__ = ["EventBus", "Subscription"]
