"""Load an app for a snapshot and restore copies of this process, each with other variables.

Arguments: the app's directory. Prints one line of JSON facts about the loaded process, then takes
one line of JSON variables at a time from stdin: forks, restores the app with them in the copy, and
prints the copy's pid and, when it has ended, its exit status.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from roost import load_for_snapshot, restore


def descriptors() -> list[str]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue  # the directory that was just listed
    return sorted(found)


def handlers() -> list[str]:
    return [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]


before = descriptors(), handlers(), sys.excepthook
app = load_for_snapshot(directory=sys.argv[1])
app.freeze()
facts = {
    "opened": sorted(set(descriptors()) - set(before[0])),
    "threads": threading.active_count(),
    "children": Path("/proc/thread-self/children").read_text().split(),
    "handlers_changed": handlers() != before[1] or sys.excepthook is not before[2],
    "files": os.listdir("."),
    "variables_held": dict(app.environ),
}
print(json.dumps(facts), flush=True)

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        os._exit(restore(app, json.loads(line)))
    print(pid, flush=True)
    _, status = os.waitpid(pid, 0)
    print("ended", os.waitstatus_to_exitcode(status), flush=True)
