"""The last line of defence: no exception of any kind reaches the terminal as a traceback."""

from __future__ import annotations

import os
import sys

from roost.cli.exit_codes import INTERRUPTED, OUTPUT_CLOSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.errors import RoostError


def run_guarded(run: Callable[[], int], *, is_json: bool, data_dir: Callable[[], str]) -> int:
    """Run a verb and turn whatever it raises into a sentence and an exit code.

    Args:
        run: returns the exit code.
        is_json: whether errors are written as JSON on stdout.
        data_dir: returns the directory below which a crash file may be written.
    """
    try:
        code = _reporting(run, is_json=is_json, data_dir=data_dir)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _silence(sys.stdout.fileno())
        return OUTPUT_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED


def _reporting(run: Callable[[], int], *, is_json: bool, data_dir: Callable[[], str]) -> int:
    try:
        return run()
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - the one place that must catch everything
        known = _known(error) or _unexpected(error, data_dir)
    _report(known, is_json=is_json)
    from roost.cli.exit_codes import code_for_error

    return code_for_error(known)


def _known(error: Exception) -> RoostError | None:
    from roost.errors import RoostError

    return error if isinstance(error, RoostError) else None


def _unexpected(error: Exception, data_dir: Callable[[], str]) -> RoostError:
    from roost.cli.crash import write_crash_file
    from roost.errors import RoostError

    kind = type(error).__name__
    try:
        place = f"where is in {write_crash_file(error, data_dir())}"
    except OSError:
        place = "and no crash file could be written"
    return RoostError(f"roost itself failed ({kind}); {place}. Please report it", kind=kind)


def _report(error: RoostError, *, is_json: bool) -> None:
    if not is_json:
        from roost.cli.table import clean

        print(f"roost: {clean(error.message)}", file=sys.stderr)
        return
    import json

    body = {"code": error.code, "message": error.message, "details": error.details}
    print(json.dumps({"error": body}, ensure_ascii=False, default=str))


def _silence(descriptor: int) -> None:
    """Let the interpreter's own last flush find a place to write to."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
