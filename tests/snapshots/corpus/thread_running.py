"""Starts a thread that waits for work."""

import threading

_stop = threading.Event()
threading.Thread(target=_stop.wait, name="poller", daemon=True).start()
