"""Widgets of the screen: they draw state and post messages, and never ask the engine."""
