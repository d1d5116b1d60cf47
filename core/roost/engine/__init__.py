"""The composition root: builds the engine, starts it in order, stops it in reverse."""

from roost.engine.engine import Engine

__all__ = ["Engine"]
