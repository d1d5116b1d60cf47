"""What a client raises when the daemon refuses, is silent or is not there.

Imported only when something failed: `roost.errors` costs more to import than a whole request.
"""

from __future__ import annotations

from typing import Any

from roost.client.json_text import parse
from roost.client.wire import NOBODY_THERE
from roost.errors import DaemonUnreachable, RoostError, Unavailable, error_from_wire


def error_from_answer(status: int, body: bytes) -> RoostError:
    """Rebuild the error of an answer that is not 2xx.

    Args:
        status: status code of the answer.
        body: its body, ``{"error": {"code": ..., "message": ..., "details": {...}}}``.
    """
    try:
        error = _error_object(parse(body))
        code, message = str(error["code"]), str(error["message"])
        return error_from_wire(code, message, error.get("details") or {})
    except (ValueError, TypeError, KeyError):
        return Unavailable(
            f"the daemon answered with status {status} and no reason; its log may say why",
            status=status,
        )


def _error_object(answer: Any) -> dict[str, Any]:
    error = answer["error"]
    return error if isinstance(error, dict) else {}


def unreachable(socket_path: str, error: OSError) -> DaemonUnreachable:
    """Say why the socket cannot be connected to."""
    if error.errno in NOBODY_THERE:
        return DaemonUnreachable(
            f"no daemon is running on {socket_path}; `roost` or `roost serve` starts one"
        )
    return DaemonUnreachable(f"the daemon's socket {socket_path} cannot be used: {_words(error)}")


def lost(socket_path: str, error: OSError) -> DaemonUnreachable:
    """Say how a connected daemon was lost."""
    if isinstance(error, TimeoutError):
        return DaemonUnreachable(
            f"the daemon on {socket_path} does not answer; `roost status` tells whether it is alive"
        )
    return DaemonUnreachable(
        f"the daemon went away before it had answered ({_words(error)}); try again"
    )


def not_roost(socket_path: str) -> DaemonUnreachable:
    """Say that whoever answers is no Roost daemon that this client understands."""
    return DaemonUnreachable(
        f"what answers on {socket_path} does not speak as a Roost daemon; is it another version?"
    )


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
