"""Stands for the daemon when a client starts one: `stub_daemon.py MODE DATA_DIR`.

Modes: `serve` takes the lock or exits with 4, then listens until it is told to end; `die` says why
and exits with 1; `silent` never listens. Each start adds a line to `starts` in the data directory.
"""

import fcntl
import os
import signal
import socket
import sys

from roost.settings.locations import socket_path


def main(mode: str, data_dir: str) -> int:
    with open(os.path.join(data_dir, "starts"), "a") as starts:
        starts.write(f"{os.getpid()} {os.getsid(0)} {os.getcwd()}\n")
    if mode == "die":
        print("Traceback of no interest\nthe store is of a newer version; upgrade\n", flush=True)
        return 1
    if mode == "silent":
        signal.pause()
    lock = open(os.path.join(data_dir, "lock"), "w")  # noqa: SIM115 - held for life
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 4
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(socket_path(data_dir))
    listener.listen()
    signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
