"""Starts a thread by the function below the threading module."""

import _thread

_held = _thread.allocate_lock()
_held.acquire()
_thread.start_new_thread(_held.acquire, ())
