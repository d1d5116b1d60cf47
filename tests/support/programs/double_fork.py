"""Leaves a detached grandchild behind, says `ready` with its pid, and ends or stays.

Arguments: `end` or `stay`, then how the grandchild detaches: `fork` (keeps the session), `setsid`
(a session of its own) or `bare` (a session of its own and an empty environment).
"""

import os
import sys
import time


def grandchild(how: str) -> None:
    if how != "fork":
        os.setsid()
    if how == "bare":
        os.execve("/bin/sleep", ["sleep", "1000"], {})
    os.execv("/bin/sleep", ["sleep", "1000"])


stays, how = sys.argv[1] == "stay", sys.argv[2]
read_end, write_end = os.pipe()
if child := os.fork():
    os.waitpid(child, 0)
    print("ready", os.read(read_end, 20).decode(), flush=True)
    if stays:
        time.sleep(1000)
elif pid := os.fork():
    os.write(write_end, str(pid).encode())
    os._exit(0)
else:
    grandchild(how)
