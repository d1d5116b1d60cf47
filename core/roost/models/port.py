"""The one rule for ports that come as text."""

from __future__ import annotations

from roost.errors import BadPort

LAST_PORT = 65535


def parse_port(text: str | None, default: int) -> int:
    """Return the port that a text asks for; 0 stands for any free one.

    Args:
        text: as it stands in an environment variable; None or empty asks for the default.
        default: the port that is used then.

    Raises:
        BadPort: it is anything but a decimal number from 0 to 65535.
    """
    if not text:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(LAST_PORT))
    if not is_number or int(text) > LAST_PORT:
        raise BadPort(text)
    return int(text)
