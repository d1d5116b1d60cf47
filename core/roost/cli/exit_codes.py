"""Exit codes of `roost`: stable, documented in ``roost --help``."""

from __future__ import annotations

OK = 0
ACTION_FAILED = 1
BAD_INPUT = 2
NOT_FOUND = 3
REFUSED = 4
UNAVAILABLE = 5
INTERNAL = 70
INTERRUPTED = 130
OUTPUT_CLOSED = 141

EXIT_CODES = {
    OK: "it was done",
    ACTION_FAILED: "it was tried and failed: a start, a respawn, a run; or a check found a fault",
    BAD_INPUT: "the command or its input is wrong; nothing was changed",
    NOT_FOUND: "there is no such workspace, bundle, run or log",
    REFUSED: "it conflicts with what exists, or is not allowed as things stand",
    UNAVAILABLE: "no daemon answers, or it cannot answer now; try again",
    INTERNAL: "Roost itself failed; a crash file says where",
    INTERRUPTED: "ctrl-C",
    OUTPUT_CLOSED: "the reader of the output went away",
}
"""What each code means, in one line."""


def code_for_error(error: Exception) -> int:
    """Return the exit code of a `RoostError`, which follows from the kind of error it is."""
    from roost.errors import BadInput, Conflict, NotFound, Refused, Unavailable

    kinds = (
        (BadInput, BAD_INPUT),
        (NotFound, NOT_FOUND),
        (Conflict, REFUSED),
        (Refused, REFUSED),
        (Unavailable, UNAVAILABLE),
    )
    return next((code for kind, code in kinds if isinstance(error, kind)), INTERNAL)


def code_for_result(is_ok: bool, error_code: str) -> int:
    """Return the exit code of a result that came as a value.

    Args:
        is_ok: whether the action succeeded.
        error_code: the result's `code`; when it names an error class, that class decides.
    """
    if is_ok:
        return OK
    from roost.errors import RoostError, error_from_wire

    error = error_from_wire(error_code, "", {})
    return ACTION_FAILED if type(error) is RoostError else code_for_error(error)
