"""What the placeholders of clients stand for, in Roost's terms."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from roost.bundles.clients.files import RawServer
from roost.bundles.clients.form import EntryForm, Wanted, holds_marks, texts_of
from roost.bundles.clients.locations import Client
from roost.bundles.clients.unfit import Unfit
from roost.bundles.literals import is_secret_name
from roost.bundles.templates import CONFIG_PREFIX, SYSTEM_NAMES
from roost.bundles.user_config import displayed
from roost.models import FieldType

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")
_VARIABLE = re.compile(r"(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::?-(.*))?", re.DOTALL)
_BARE_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_LITERAL_CLIENTS = (Client.CLAUDE_DESKTOP, Client.CODEX)
"""They fill in nothing: what looks like a placeholder is meant as it stands."""

_ROOST_NAMES = (SYSTEM_NAMES - {"HOME", "/", "pathSeparator"}) | {"prepared", "port"}
_CHOICE_LIMIT = 200
_TEXT_LENGTH = 2**17
"""No process can receive a longer argument or variable."""


class Translator:
    """Translates the texts of one entry.

    Args:
        server: the entry and where it stands.
        form: gets a field for everything that Roost has to ask for.
    """

    def __init__(self, server: RawServer, form: EntryForm) -> None:
        self._server = server
        self._form = form
        self._is_literal = server.client in _LITERAL_CLIENTS
        self._inputs = _inputs_by_id(server.inputs)

    def text(self, text: str) -> str:
        """Return a text in which marks stand for its placeholders.

        Raises:
            Unfit: it holds something that Roost cannot take over.
        """
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise Unfit("holds characters no process can receive; correct it")
        if len(text) > _TEXT_LENGTH:
            raise Unfit(f"holds a text of more than {_TEXT_LENGTH} characters; correct it")
        if holds_marks(text):
            raise Unfit("holds characters of a private range, which Roost cannot take over")
        if self._server.client is Client.GEMINI:
            text = _BARE_VARIABLE.sub(r"${\1}", text)
        found = _PLACEHOLDER.sub(self._replaced, text)
        if any(holds_marks(match[0]) for match in _PLACEHOLDER.finditer(found)):
            raise Unfit("has a placeholder inside another; write one of the values itself")
        return found

    def _replaced(self, match: re.Match[str]) -> str:
        found = self._mark(match[1])
        if found is not None:
            return found
        if match[1] in _ROOST_NAMES or match[1].startswith(CONFIG_PREFIX):
            raise Unfit(
                f"holds {match[0]}, which would stand for a value of Roost's; write it otherwise"
            )
        return match[0]

    def _mark(self, name: str) -> str | None:
        """Return what stands for a placeholder; None leaves it as it is written."""
        if name in ("HOME", "env:HOME", "userHome"):
            return self._form.mark("${HOME}")
        if name in ("/", "pathSeparator"):
            return "/"
        if self._is_literal:
            return None
        if name.startswith(("workspaceFolder", "workspaceRoot")):
            return self._folder(name)
        if name.startswith("input:"):
            return self._form.ask(self._input(name.removeprefix("input:")))
        if match := _VARIABLE.fullmatch(name):
            return self.variable(match[1], match[2])
        if ":" in name and name.split(":")[0].isalpha():
            return self._form.ask(Wanted(name, f"what its client puts for ${{{displayed(name)}}}"))
        return None

    def _folder(self, name: str) -> str:
        project, is_base = self._server.project, name == "workspaceFolderBasename"
        if project is None:
            title = "name of the project's folder" if is_base else "directory of the project"
            kind = FieldType.STRING if is_base else FieldType.DIRECTORY
            return self._form.ask(Wanted(name.split(":")[0], title, type=kind))
        if "${" in project or holds_marks(project):
            raise Unfit("belongs to a project whose path holds ${; rename its directory")
        return os.path.basename(project) if is_base else project

    def variable(self, name: str, default: str | None = None, *, is_required: bool = True) -> str:
        """Return the mark of a variable of the client's own environment."""
        return self._form.ask(
            Wanted(
                name,
                f"the variable {name} of its client",
                is_sensitive=is_secret_name(name),
                default=default or None,
                is_required=is_required and default is None,
            )
        )

    def _input(self, name: str) -> Wanted:
        found = self._inputs.get(name, {})
        options = found.get("options")
        choices = [_choice(option) for option in options] if isinstance(options, list) else []
        default = displayed(texts_of(found, "default"))
        is_secret = found.get("password") is True or (not choices and is_secret_name(name))
        return Wanted(
            name,
            displayed(texts_of(found, "description")),
            is_sensitive=is_secret,
            default=default or None,
            choices=tuple(choice for choice in choices if choice)[:_CHOICE_LIMIT],
        )


def _inputs_by_id(inputs: tuple[Any, ...]) -> dict[str, Mapping[str, Any]]:
    return {
        found["id"]: found
        for found in inputs
        if isinstance(found, dict) and isinstance(found.get("id"), str)
    }


def _choice(option: Any) -> str:
    """Return an option of a pick list, which is a text or has one as its value."""
    found = option.get("value", option.get("label")) if isinstance(option, dict) else option
    return displayed(found) if isinstance(found, str) else ""
