"""How the daemon and a template speak: the protocol, and the messages as bytes and descriptors.

A template is started as ``INTERPRETER [FLAGS] launcher template SPEC_FD PADDING``. SPEC_FD is
sealed memory with one JSON object, which the template reads and closes::

    {"format": 1, "kind": "script"|"module"|"app", "target": str, "modules": [str],
     "paths": [str], "path0": str|null, "exclude": [str], "control_fd": int,
     "forks": bool, "hooks": bool, "canary": null|{"name", "value"}, "environ_copied": bool,
     "compare": bool}

`paths` is the whole `sys.path` without `path0`; an empty one leaves the interpreter's own. For the
kind ``app`` the target is the entry as ``python -m roost.app`` takes it, possibly empty, and the
app's directory is the one in which the template is started.

A standby is started as ``launcher standby``, with `forks` false, and speaks in the same way, but
that it does not fork for its only start: it becomes the process itself, which the daemon owns
already. So of what follows on ``start`` it says only what goes through the gate.

`control_fd` is one end of a ``socketpair(AF_UNIX, SOCK_SEQPACKET)``. Each message is one JSON
object; one of more than `LARGE` bytes travels in memory that is passed as the last descriptor, and
the message itself is then ``{"in_fd": true}``. The template speaks first::

    <- {"ev": "freezing"}                          the before_snapshot hooks begin; they have 10 s
    <- {"ev": "frozen"}                            and have ended
    <- {"ev": "ready", "loaded": int, "failed": [[module, error]], "poisoned": [module],
        "problems": [{"guard", "module"|null, "what"}], "import_ms": int, "reprs": {}|null,
        "has_hooks": bool}                         whether a restored process has hooks to run
    <- {"ev": "broken", "reason": str}             instead of ready: a hook failed; it ends

and then serves::

    -> {"op": "start", "id": int, "cwd": str, "comm": str, "rlimits": [[name, value]],
        "handed": [index]}   + [stdin, stdout, stderr, memory {"env", "argv", "orig_argv"}, gate,
                                handed...]
    <- {"ev": "started", "id": int, "pid": int, "fork_ms": float}   + [pidfd]
    <- {"ev": "refused", "id": int, "reason": str}
    <- {"ev": "exit", "id": int, "pid": int, "status": int}         raw wait status
    -> {"op": "reap", "pid": int}                  until then the ended process stays a zombie
    -> {"op": "measure"}   <- {"ev": "measured", "pss_kb": int|null}

`handed` holds indexes into the descriptors; the process finds its number in ROOST_TOKEN_FD. The
environment and the arguments are in memory that the new process alone reads. The end of the control
socket ends the template without shutting the interpreter down; its processes live on.

`gate` is the process's end of another such socket pair. It prepares itself at once, but runs
nothing of the app before it is told to go on: so nothing runs that the daemon does not own, and
when the other end is closed instead, it ends::

    -> {"op": "go"}
    <- {"ev": "restored"}                          the after_restore hooks have run, the entry is
                                                   next; closed afterwards
    <- {"ev": "failed", "reason": str}             it ends without running the entry
"""

from __future__ import annotations

import array
import fcntl
import json
import os
import socket
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]

FORMAT = 1
"""Of the spec; another one is refused."""

TOKEN_VARIABLE = "ROOST_TOKEN_FD"
"""Tells a process the number of a descriptor that it was handed."""

MARK_VARIABLE = "ROOST_MARK"
"""Tells whose process it is; it stands in the template's environment as well."""

EXIT_NOT_RESTORED = 70
"""Exit status of a process that did not come to its entry."""

LARGE = 64 * 1024
"""Bytes above which a message travels in memory; a socket takes three times as much at once."""

_MOST_DESCRIPTORS = 16
"""A start needs five and one for each thing that is handed over."""


def send(channel: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send one message.

    Raises:
        OSError: the other end is closed, or a non-blocking channel is full.
    """
    content = json.dumps(message).encode("ascii")
    if len(content) <= LARGE:
        socket.send_fds(channel, [content], descriptors)
        return
    memory = in_memory(content)
    try:
        socket.send_fds(channel, [b'{"in_fd": true}'], [*descriptors, memory])
    finally:
        os.close(memory)


def receive(channel: socket.socket) -> tuple[Message, list[int]] | None:
    """Receive one message and what came with it; None when the other end is closed."""
    room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * array.array("i").itemsize)
    try:
        content, ancillary, _, _ = channel.recvmsg(LARGE, room, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return None
    descriptors = _descriptors(ancillary)
    if not content:
        return None
    message: Message = json.loads(content)
    if message.get("in_fd"):
        message = read_memory(descriptors.pop())
    return message, descriptors


def in_memory(content: bytes) -> int:
    """Return a descriptor of sealed memory that holds this content."""
    memory = os.memfd_create("roost", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(memory, "wb", closefd=False) as file:
            file.write(content)
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(memory)
        raise
    return memory


def read_memory(memory: int) -> Message:
    """Return the JSON object in a descriptor of memory, and close it."""
    with open(memory, "rb", buffering=0) as file:
        file.seek(0)
        message: Message = json.loads(file.readall() or b"")
    return message


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(content[: len(content) - len(content) % found.itemsize])
    return list(found)
