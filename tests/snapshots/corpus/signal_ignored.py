"""Ignores a signal."""

import signal

PREVIOUS = signal.signal(signal.SIGHUP, signal.SIG_IGN)
