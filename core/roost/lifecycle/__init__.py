"""Phases of an app's start, snapshot, restore and close; the standard library only.

The daemon's own parts and Python apps written with the SDK walk through the same `Lifecycle`.
"""

from roost.lifecycle.component import Component, HookTiming
from roost.lifecycle.deadline import ShutdownDeadline
from roost.lifecycle.exceptions import ExceptionReporter
from roost.lifecycle.keep_alive import KeepAlive
from roost.lifecycle.lifecycle import Lifecycle
from roost.lifecycle.milestone import Milestone
from roost.lifecycle.notify import Notifier, watchdog_interval_s
from roost.lifecycle.phases import LifeState, Phase
from roost.lifecycle.signals import EXIT_FORCED, SAME_SIGNAL_S, STOP_SIGNALS, StopSignals

__all__ = [
    "EXIT_FORCED",
    "SAME_SIGNAL_S",
    "STOP_SIGNALS",
    "Component",
    "ExceptionReporter",
    "HookTiming",
    "KeepAlive",
    "LifeState",
    "Lifecycle",
    "Milestone",
    "Notifier",
    "Phase",
    "ShutdownDeadline",
    "StopSignals",
    "watchdog_interval_s",
]
