"""Makes what programs hand in fit to be kept: scrubbed of secrets, valid Unicode, and bounded."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

from roost.models import RunProgress

Redact = Callable[[str, str], Callable[[Any], Any]]
"""Returns, for a workspace and a bundle, what takes the bundle's secrets out of a JSON value."""

PAYLOAD_LIMIT = 1024 * 1024
"""Bytes kept of an input or a result: more than a person reads, little enough to load at once."""

SENTENCE_LIMIT = 500
"""Characters kept of a tool's own error text: a sentence, not a page of trace."""

MESSAGE_LIMIT = 4000
"""Characters kept of one event."""

DEPTH_LIMIT = 100
"""Levels of nesting kept; deeper values run into the interpreter's recursion limit."""

UNSCRUBBED = "[not kept: it could not be scrubbed]"
CUT = "…"

REDACTED = "[redacted]"
"""Stands for an argument that is not kept."""

logger = logging.getLogger(__name__)


class Payloads:
    """Scrubs first and cuts then: a secret cut in two would no longer be found.

    Args:
        redact: returns the scrubber of a bundle; asked each time, because credentials change while
            runs go on.
    """

    def __init__(self, redact: Redact) -> None:
        self._redact = redact

    def value(self, workspace: str, bundle: str | None, value: Any) -> tuple[Any, bool]:
        """Return a JSON value fit to be kept, and whether it was cut."""
        cutter = _Cutter(PAYLOAD_LIMIT)
        kept = cutter.take(self._scrubbed(workspace, bundle, value), DEPTH_LIMIT)
        return kept, cutter.is_cut

    def text(self, workspace: str, bundle: str | None, text: str, limit: int) -> str:
        """Return a text fit to be kept, of `limit` characters at most."""
        scrubbed = valid_text(str(self._scrubbed(workspace, bundle, text)))
        return scrubbed if len(scrubbed) <= limit else scrubbed[: limit - 1] + CUT

    def progress(
        self, workspace: str, bundle: str | None, progress: RunProgress
    ) -> RunProgress | None:
        """Return a progress report fit to be kept, or None when its figure is no number."""
        if not math.isfinite(progress.current):
            return None
        total = progress.total
        message = progress.message
        return RunProgress(
            progress.current,
            total if total is not None and math.isfinite(total) else None,
            None if message is None else self.text(workspace, bundle, message, MESSAGE_LIMIT),
        )

    def _scrubbed(self, workspace: str, bundle: str | None, value: Any) -> Any:
        if bundle is None:
            return value
        try:
            return self._redact(workspace, bundle)(value)
        except Exception:  # neither may a value pass unscrubbed nor its run stay open
            logger.exception("a value of %s in %s could not be scrubbed", bundle, workspace)
            return UNSCRUBBED


def is_redacted(value: Any) -> bool:
    """Say whether a kept input lacks arguments that were left out, so it cannot be used again."""
    if isinstance(value, dict):
        return any(is_redacted(item) for item in value.values())
    if isinstance(value, list):
        return any(is_redacted(item) for item in value)
    return bool(value == REDACTED)


def valid_text(text: str) -> str:
    """Replace lone surrogates, which JSON can carry and no database takes."""
    return text.encode("utf-8", "replace").decode()


class _Cutter:
    """Copies a JSON value and keeps its shape, until about `budget` bytes are used up."""

    def __init__(self, budget: int) -> None:
        self._left = budget
        self.is_cut = False

    def take(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict | list | tuple):
            if depth == 0:
                self.is_cut = True
                return CUT
            return self._container(value, depth - 1)
        self._left -= 8
        return None if isinstance(value, float) and not math.isfinite(value) else value

    def _container(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return {
                self._text(str(key)): self.take(item, depth)
                for key, item in value.items()
                if self._has_room()
            }
        return [self.take(item, depth) for item in value if self._has_room()]

    def _has_room(self) -> bool:
        if self._left <= 0:
            self.is_cut = True
        return not self.is_cut

    def _text(self, text: str) -> str:
        data = text.encode("utf-8", "replace")
        kept = data[: max(self._left, 0)]
        self._left -= len(data) + 2
        if len(kept) == len(data):
            return data.decode()
        self.is_cut = True
        return kept.decode("utf-8", "ignore") + CUT
