"""`EntryForm`: the fields that one entry of a client becomes, and the values it brings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from roost.bundles.clients.unfit import Unfit
from roost.bundles.literals import is_harmless
from roost.bundles.secret_shapes import Piece, is_secret_shape
from roost.bundles.templates import CONFIG_PREFIX
from roost.models import ConfigField, FieldType, FieldValue, ImportQuestion

_FIRST_MARK, _LAST_MARK = 0xE000, 0xF8FF
_MARKS = re.compile(f"([{chr(_FIRST_MARK)}-{chr(_LAST_MARK)}])")
_WORDLESS = re.compile(r"[\W_]*|\s*(?:Bearer|Basic|Token|ApiKey|Key)\s+", re.IGNORECASE)
_START_OF_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://([A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9/_-]*)?)?")
_KEY_LENGTH = 100
_MARK_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A value that only the client or its user knows."""

    name: str
    title: str = ""
    is_sensitive: bool = False
    default: str | None = field(default=None, repr=False)
    is_required: bool = True
    choices: tuple[str, ...] = ()
    type: FieldType = FieldType.STRING


def holds_marks(text: str) -> bool:
    """Say whether a text holds characters that stand for placeholders while it is taken apart."""
    return _MARKS.search(text) is not None


class EntryForm:
    """Collects fields while an entry is translated.

    Inside a text under translation, one character of a private range stands for each placeholder;
    `template` puts them back.
    """

    def __init__(self) -> None:
        self.values: dict[str, FieldValue] = {}
        """What goes to the vault, by field."""
        self._fields: dict[str, ConfigField] = {}
        self._choices: dict[str, tuple[str, ...]] = {}
        self._asked: dict[str, str] = {}
        self._marks: list[str] = []

    @property
    def fields(self) -> tuple[ConfigField, ...]:
        return tuple(self._fields.values())

    @property
    def secrets(self) -> tuple[str, ...]:
        """Sensitive fields whose values the file holds."""
        return tuple(key for key in self._fields if key in self.values and self._is_secret(key))

    @property
    def questions(self) -> tuple[ImportQuestion, ...]:
        return tuple(self._question(key) for key in self._asked.values())

    def mark(self, template: str) -> str:
        """Return the character that stands for a piece of a template.

        Raises:
            Unfit: there are more than anybody writes.
        """
        if template not in self._marks:
            if len(self._marks) == _MARK_LIMIT:
                raise Unfit(f"has more than {_MARK_LIMIT} placeholders")
            self._marks.append(template)
        return chr(_FIRST_MARK + self._marks.index(template))

    def ask(self, wanted: Wanted) -> str:
        """Return the mark of a field whose value is asked for; the same name is asked for once."""
        key = self._asked.get(wanted.name)
        if key is None:
            key = self._asked[wanted.name] = self._new_key(wanted.name)
            self._add_asked(key, wanted)
        return self.mark(_reference(key))

    def keep(self, name: str, text: str, *, is_sensitive: bool) -> str:
        """Keep a literal text as the value of a new field and return its template."""
        key = self._new_key(name)
        self._fields[key] = ConfigField(
            key, FieldType.STRING, name, required=bool(text), sensitive=is_sensitive
        )
        if text:
            self.values[key] = text
        return _reference(key)

    def keep_default(self, name: str, default: str) -> str:
        """Make a field whose default holds placeholders of Roost, and return its template."""
        key = self._new_key(name)
        self._fields[key] = ConfigField(key, FieldType.STRING, name, required=True, default=default)
        return _reference(key)

    def plain(self, text: str) -> str:
        """Return a template with its marks put back, and nothing taken out."""
        return _MARKS.sub(lambda match: self._marks[ord(match[1]) - _FIRST_MARK], text)

    def template(self, pieces: list[Piece]) -> str:
        """Return the template of a text, its secret pieces kept as fields."""
        return "".join(
            self.hidden(piece.key, piece.text) if piece.key else self.plain(piece.text)
            for piece in pieces
        )

    def hidden(self, name: str, text: str, *, is_secret: bool = True) -> str:
        """Return the template of a text of which nothing is to be seen but what is harmless.

        Args:
            name: for the field of what is kept.
            text: with marks.
            is_secret: whether what it asks for is sensitive too.
        """
        if not _MARKS.search(text):
            return self.keep(name, text, is_sensitive=True)
        if is_secret:
            self._make_sensitive(text)
        return "".join(self._hidden_part(name, part) for part in _MARKS.split(text) if part)

    def shown(self, template: str) -> str:
        """Return a template for people: fields that are kept or asked for as ``<FIELD>``."""
        for key, found in self._fields.items():
            text = self.values.get(key)
            is_open = isinstance(text, str) and not found.sensitive
            template = template.replace(_reference(key), str(text) if is_open else f"<{key}>")
        return template

    def filled(self, template: str, otherwise: str) -> str:
        """Return a template with the values the file holds, and `otherwise` for all others."""
        for key in self._fields:
            template = template.replace(_reference(key), str(self.values.get(key, otherwise)))
        return template

    def sensitive_in(self, templates: tuple[str, ...]) -> tuple[str, ...]:
        """Return the sensitive fields that stand in these templates."""
        return tuple(
            key
            for key in self._fields
            if self._is_secret(key) and any(_reference(key) in text for text in templates)
        )

    def _hidden_part(self, name: str, part: str) -> str:
        if _MARKS.fullmatch(part):
            return self.plain(part)
        is_known = _WORDLESS.fullmatch(part) or _START_OF_ADDRESS.fullmatch(part)
        if (is_known or is_harmless("", part.strip())) and not is_secret_shape(part):
            return part
        return self.keep(name, part, is_sensitive=True)

    def _make_sensitive(self, text: str) -> None:
        references = {self._marks[ord(mark) - _FIRST_MARK] for mark in _MARKS.findall(text)}
        for key in self._asked.values():
            if _reference(key) in references and self._fields[key].type is FieldType.STRING:
                self._hide_default(key)

    def _hide_default(self, key: str) -> None:
        found = self._fields[key]
        if isinstance(found.default, str):
            self.values[key] = found.default
        self._fields[key] = replace(found, sensitive=True, default=None)

    def _add_asked(self, key: str, wanted: Wanted) -> None:
        self._choices[key] = wanted.choices
        self._fields[key] = ConfigField(
            key,
            wanted.type,
            wanted.title or wanted.name,
            required=wanted.is_required,
            default=wanted.default,
        )
        if wanted.is_sensitive:
            self._hide_default(key)

    def _question(self, key: str) -> ImportQuestion:
        found = self._fields[key]
        return ImportQuestion(
            key=key,
            title=found.title,
            is_sensitive=found.sensitive,
            is_required=found.required and found.default is None and key not in self.values,
            default=found.default if isinstance(found.default, str) else None,
            choices=self._choices[key],
        )

    def _is_secret(self, key: str) -> bool:
        return self._fields[key].sensitive

    def _new_key(self, name: str) -> str:
        base = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[: _KEY_LENGTH - 4] or "VALUE"
        base = base if base[0].isalnum() or base[0] == "_" else f"_{base}"
        key, number = base, 1
        while key in self._fields:
            number += 1
            key = f"{base}_{number}"
        return key


def texts_of(inputs: Mapping[str, object], key: str) -> str:
    """Return a text of an input, or an empty one."""
    found = inputs.get(key)
    return found if isinstance(found, str) else ""


def _reference(key: str) -> str:
    return f"${{{CONFIG_PREFIX}{key}}}"
