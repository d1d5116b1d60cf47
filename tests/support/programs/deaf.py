"""Ignores TERM, INT and HUP, says `ready`, and stays until it is killed."""

import signal
import time

for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(signum, signal.SIG_IGN)
print("ready", flush=True)
while True:
    time.sleep(60)
