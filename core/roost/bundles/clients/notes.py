"""What an operator should know of an entry before it is imported."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from roost.bundles.clients.entry import ReadEntry, is_disabled
from roost.bundles.clients.files import RawServer
from roost.bundles.wrappers import wrapper_notes
from roost.models import Definition, PlanNote

_CONTAINERS = ("docker", "podman", "nerdctl")


def notes_of(
    server: RawServer, read: ReadEntry, definition: Definition, *, has_program: bool
) -> tuple[PlanNote, ...]:
    """Return the notes of one entry, the gravest first."""
    body = server.body if isinstance(server.body, dict) else {}
    return (
        *_of_origin(server, body),
        *_of_secrets(read),
        *_of_program(read, has_program=has_program),
        *wrapper_notes(definition),
        *_of_sign_in(body),
    )


def _of_origin(server: RawServer, body: dict[str, Any]) -> Iterator[PlanNote]:
    if server.is_from_repository:
        yield PlanNote(
            "from_repository",
            "It comes from a project's files: whoever writes to the project chose what it runs.",
        )
    if is_disabled(body):
        yield PlanNote("disabled", "Its client has it switched off.", is_warning=False)
    if body.get("sandboxEnabled") is True:
        yield PlanNote("no_sandbox", "Its client runs it in a sandbox, which Roost does not.")


def _of_secrets(read: ReadEntry) -> Iterator[PlanNote]:
    if names := ", ".join(read.secret_arguments):
        yield PlanNote(
            "secret_argument",
            f"{names} would stand in its command line, where every user of this machine can read "
            "it; that has to be allowed.",
        )
    if read.env_file_sha256:
        yield PlanNote(
            "env_file",
            "The variables of its envFile are copied; later changes of that file do not count.",
            is_warning=False,
        )


def _of_program(read: ReadEntry, *, has_program: bool) -> Iterator[PlanNote]:
    if not has_program:
        yield PlanNote(
            "no_program",
            f"There is no program {read.command!r} here: install it, or take the pinned copy.",
        )
    if os.path.basename(read.command) in _CONTAINERS:
        yield PlanNote(
            "docker",
            "It runs in a container: its limits and figures are only those of the program that "
            "starts it.",
            is_warning=False,
        )
    if read.directory is not None and not os.path.isdir(read.directory):
        yield PlanNote("no_directory", f"Its working directory {read.directory} is not there.")


def _of_sign_in(body: dict[str, Any]) -> Iterator[PlanNote]:
    if body.get("oauth") or body.get("auth"):
        yield PlanNote(
            "oauth",
            "Its client signs in by OAuth, which Roost does not; it may need a token in a header.",
        )
    if body.get("headersHelper"):
        yield PlanNote(
            "headers_helper",
            "Its client gets headers from a program, which Roost does not run; set them as "
            "credentials.",
        )
