"""Starts an interval timer."""

import signal

signal.setitimer(signal.ITIMER_REAL, 1000)
