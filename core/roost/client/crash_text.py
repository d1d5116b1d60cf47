"""What may be told of an unexpected error: where it came from, and nothing it held."""

from __future__ import annotations

import traceback


def crash_text(error: BaseException) -> str:
    """Return the chain of errors by type and place."""
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None:
        frames = traceback.extract_tb(current.__traceback__)
        lines = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        parts.append("\n".join([type(current).__qualname__, *lines]))
        current = current.__cause__ or current.__context__
    return "\n\nbecause of\n\n".join(parts) + "\n"
