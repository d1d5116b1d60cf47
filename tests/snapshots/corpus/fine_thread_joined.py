"""Starts a thread and waits for it."""

import threading

_thread = threading.Thread(target=int)
_thread.start()
_thread.join()
