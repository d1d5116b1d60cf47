"""What looks like a secret in a command line or an address.

A command line is for all to read, so what is taken out of it are values whose name or shape says
that they are secret; everything else is shown to the operator who reviews it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from roost.bundles.literals import has_random_part, is_harmless

_SECRET_NAME = re.compile(
    r"(?:^|[-_.]|(?<=[a-z])(?=[A-Z]))(?:"
    r"(?:api|access|secret|private|auth|account|master|signing|service|admin)[-_.]?keys?"
    r"|(?:[a-z]+[-_.])?token|secret|passw(?:or)?d|passphrase|pwd|pat|key|auth(?:orization)?"
    r"|credentials?|dsn|connection[-_.]?string|cookie|session[-_.]?(?:id|key)|webhook|pin|salt|jwt"
    r"|signature|sig)$|apikey|apitoken",
    re.IGNORECASE,
)
_KNOWN = re.compile(
    r"\b(?:sk|pk|rk)[-_](?:[a-z]+[-_])*[A-Za-z0-9_-]{12,}"
    r"|\bgh[opusr]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{12,}"
    r"|\bxox[abeprs]-[\w-]{8,}|\bAKIA[A-Z0-9]{12,}|\bAIza[\w-]{20,}|\bya29\.[\w-]{16,}"
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]{4,}\.?[\w-]*|\bhf_[A-Za-z0-9]{16,}|\bnpm_[A-Za-z0-9]{16,}"
    r"|\bntn_[A-Za-z0-9]{16,}|\bsecret_[A-Za-z0-9]{16,}|\btvly-[\w-]{12,}|\bpplx-[\w-]{12,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
)
_RANDOM = re.compile(r"(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])(?=[^0-9]*[0-9])[A-Za-z0-9_+=-]{20,}")
_HEX = re.compile(r"(?=.*[0-9])(?=.*[a-fA-F])[0-9a-fA-F]{32,}")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_OPTION = re.compile(r"(--?[A-Za-z][\w.-]*|[A-Za-z_][\w.-]*)=(.*)", re.DOTALL)
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]*):(?!//)\s*(.+)", re.DOTALL)
_ASSIGNMENT = re.compile(
    r"(?:^|[\s;&|('\"])(?:--?(?P<option>[A-Za-z][\w.-]*)(?:=|\s+)|(?P<name>[A-Za-z_]\w*)=)"
    r"(?P<value>[^\s;&|)]+)"
)
_PARAMETER = re.compile(r"[^&#]+")
_COUNT = re.compile(r"-?[0-9]{1,6}(\.[0-9]+)?")
_PATH = re.compile(r"[\w.@+~ /-]+")
_FILE_ENDS = (".json", ".yaml", ".yml", ".toml", ".pem", ".key", ".txt")
_NAME_LENGTH = 100
"""Names are short; looking through longer ones would take time that grows with their square."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text."""

    text: str = field(repr=False)
    key: str = ""
    """Name for the field that keeps it; empty when it is no secret."""


def names_secret(name: str) -> bool:
    """Say whether an option, header or parameter of this name holds a secret."""
    return len(name) <= _NAME_LENGTH and _SECRET_NAME.search(name) is not None


def is_secret_shape(text: str) -> bool:
    """Say whether a text is a secret by its looks alone."""
    return bool(_KNOWN.search(text) or _RANDOM.fullmatch(text) or _HEX.fullmatch(text))


def argument_pieces(argument: str, option: str, number: int) -> list[Piece]:
    """Take one argument of a command line apart.

    Args:
        argument: as it stands there.
        option: the argument before it, which may name it.
        number: its place, from 1, for a field that nothing names.
    """
    if match := _OPTION.fullmatch(argument):
        return [Piece(f"{match[1]}="), *_named(match[1], match[2], number)]
    if option.startswith("-") and not argument.startswith("-"):
        if (match := _HEADER.fullmatch(argument)) and not _ADDRESS.match(argument):
            return _header(argument, match)
        return _named(option, argument, number)
    return _unnamed(argument, f"ARGUMENT_{number}")


def address_pieces(address: str, key: str) -> list[Piece]:
    """Take an address apart: a password, secret parameters and generated parts of its path."""
    try:
        url = urlsplit(address)
    except ValueError:
        return [Piece(address, key)]
    if url.password is not None:
        return [Piece(address, key)]
    if has_random_part(url.path) or url.username or is_secret_shape(url.path):
        return [Piece(address, key)]
    return _query_pieces(address, key)


def _named(name: str, value: str, number: int) -> list[Piece]:
    key = _field_name(name) or f"ARGUMENT_{number}"
    if names_secret(name.lstrip("-")) and not _is_plain(value):
        return [Piece(value, key)]
    if (match := _OPTION.fullmatch(value)) and not _ADDRESS.match(value):
        return [Piece(f"{match[1]}="), *_named(match[1], match[2], number)]
    return _unnamed(value, key)


def _header(argument: str, match: re.Match[str]) -> list[Piece]:
    name, value = match[1], match[2]
    if not names_secret(name) and not is_secret_shape(value):
        return _unnamed(argument, _field_name(name))
    return [Piece(argument[: match.start(2)]), Piece(value, _field_name(name))]


def _unnamed(text: str, key: str) -> list[Piece]:
    if _ADDRESS.match(text):
        return address_pieces(text, key)
    return [Piece(text, key if _holds_secret(text) else "")]


def _holds_secret(text: str) -> bool:
    """Whether any word of a text, which may be a shell's, is a secret."""
    if is_secret_shape(text):
        return True
    if not any(char.isspace() for char in text):
        return False
    if any(
        names_secret(match["option"] or match["name"]) and not _is_plain(match["value"])
        for match in _ASSIGNMENT.finditer(text)
    ):
        return True
    words = (word.strip("'\"") for word in text.split())
    return any(
        len(address_pieces(word, "x")) > 1 or bool(address_pieces(word, "x")[0].key)
        if _ADDRESS.match(word)
        else is_secret_shape(word)
        for word in words
    )


def _query_pieces(address: str, key: str) -> list[Piece]:
    head, mark, query = address.partition("?")
    pieces, end = [Piece(head + mark)], 0
    for match in _PARAMETER.finditer(query):
        name, equals, value = match[0].partition("=")
        start = match.start() + len(name + equals)
        if not equals and (is_secret_shape(name) or has_random_part(name)):
            name, value, start = "", name, match.start()
        if not value or (is_harmless(name, value) and not is_secret_shape(value)):
            continue
        pieces += [Piece(query[end:start]), Piece(value, _field_name(name) or key)]
        end = match.end()
    pieces.append(Piece(query[end:]))
    return [piece for piece in pieces if piece.text]


def _is_plain(value: str) -> bool:
    """Whether a value cannot be a secret, although its name says so."""
    return (
        not value
        or value.startswith("$")
        or _COUNT.fullmatch(value) is not None
        or (_is_path(value) and not has_random_part(value))
        or is_harmless("", value)
    )


def _is_path(value: str) -> bool:
    if _PATH.fullmatch(value) is None:
        return False
    return ("/" in value and value[0] in "/.~") or value.endswith(_FILE_ENDS)


def _field_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").upper()[:60]
