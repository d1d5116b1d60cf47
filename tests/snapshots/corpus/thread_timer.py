"""Starts a timer thread."""

import threading

_timer = threading.Timer(1000, int)
_timer.daemon = True
_timer.start()
