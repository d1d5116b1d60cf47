"""Leaves a number of orphans that end at once, says `ready`, and stays."""

import os
import sys
import time

for _ in range(int(sys.argv[1])):
    if child := os.fork():
        os.waitpid(child, 0)
    elif os.fork():
        os._exit(0)
    else:
        os._exit(7)
print("ready", flush=True)
time.sleep(1000)
