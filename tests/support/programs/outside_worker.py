"""Outside work that goes on until it is asked to stop.

Usage: outside_worker.py WORKSPACE TITLE LEASE_S. Prints the run's id, tells a step every 20 ms, and
prints how the block was left. The daemon is the one of ROOST_DATA_DIR.
"""

import sys
import time

from roost import LeaseLost, StopRequested, begin_run

workspace, title, lease_s = sys.argv[1:]
number = 0
try:
    with begin_run(title, workspace=workspace, lease_s=float(lease_s)) as run:
        print(run.id, flush=True)
        while True:
            number += 1
            run.step(f"step {number}", number)
            time.sleep(0.02)
            run.check_stop()
except (LeaseLost, StopRequested) as error:
    print(type(error).__name__, number, flush=True)
