"""Wire form of the models: dataclasses to JSON and back, by msgspec.

Decoding ignores unknown keys, so that a newer daemon can be read by an older client of the same
major version.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class WireError(ValueError):
    """JSON that does not have the shape of the model it should be."""


def to_json(value: object) -> bytes:
    """Encode a model as JSON."""
    return msgspec.json.encode(value)


def from_json(data: bytes | str, kind: type[T]) -> T:
    """Decode JSON into a model.

    Raises:
        WireError: the data is not JSON or not of this shape.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise WireError(f"not a {kind}: {error}") from error


def to_builtins(value: object) -> Any:
    """Turn a model into plain dicts, lists and scalars."""
    return msgspec.to_builtins(value)


def from_builtins(data: object, kind: type[T]) -> T:
    """Build a model from plain dicts, lists and scalars.

    Raises:
        WireError: the data is not of this shape.
    """
    try:
        return msgspec.convert(data, type=kind)
    except msgspec.ValidationError as error:
        raise WireError(f"not a {kind}: {error}") from error
