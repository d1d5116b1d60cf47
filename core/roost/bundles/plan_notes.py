"""What an operator should know before a bundle runs, as notes of its plan."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from roost.bundles.install_place import InstalledBundle
from roost.bundles.json_text import read_json
from roost.bundles.manifest import MANIFEST_NAME
from roost.bundles.packages import PREPARED_BIN, PREPARED_MODULES, needs_lookup
from roost.bundles.templates import placeholders, sensitive_arguments
from roost.bundles.wrappers import pinned_copy_of, wrapper_notes
from roost.errors import BadManifest
from roost.models import Definition, InstallRequest, PlanNote, SourceKind

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish", "busybox"})
_CONTAINERS = frozenset({"docker", "podman", "nerdctl"})
_KNOWN_RUNTIMES = ("python", "node", "uv", "bun", "deno", "npx", "npm", "uvx", "pipx")


def notes_of(request: InstallRequest, found: InstalledBundle) -> tuple[PlanNote, ...]:
    """Return the notes for a bundle that was read; its files still lie at its root."""
    definition = found.definition
    return (
        *_about_secrets(definition),
        *_about_the_program(definition),
        *_about_the_manifest(definition),
        *_about_the_source(request, found),
        *(_about_the_copy(definition) if request.resolve else wrapper_notes(definition)),
    )


def _about_secrets(definition: Definition) -> Iterator[PlanNote]:
    if shown := sensitive_arguments(definition):
        yield PlanNote(
            "secret_argument",
            f"{', '.join(shown)} would stand in the command line, where every user of this "
            "machine can read it.",
        )


def _about_the_program(definition: Definition) -> Iterator[PlanNote]:
    program = os.path.basename(definition.command)
    if program in _SHELLS and any(arg.startswith("-") and "c" in arg for arg in definition.args):
        yield PlanNote("shell", f"It is a line for {program}: read all of it, it can do anything.")
    if program in _CONTAINERS:
        yield PlanNote(
            "docker",
            f"{program} starts it outside Roost's reach: limits do not hold there, and a container "
            "can outlive its stop.",
        )
    is_prepared = definition.command.startswith((PREPARED_BIN, PREPARED_MODULES))
    if placeholders(definition.command.removeprefix("${__dirname}/")) and not is_prepared:
        yield PlanNote(
            "unchecked_program",
            f"Which program {definition.command} means is known at its start only, so nothing "
            "could be checked.",
        )


def _about_the_manifest(definition: Definition) -> Iterator[PlanNote]:
    if definition.root is None or definition.source.kind is not SourceKind.MCPB:
        return
    program = os.path.basename(definition.command)
    if os.path.isabs(definition.command) and not program.startswith(_KNOWN_RUNTIMES):
        yield PlanNote(
            "foreign_program",
            f"It runs {definition.command}, a program of this machine and none of its own.",
        )
    config = _mcp_config(Path(definition.root))
    override = _table(_table(config, "platform_overrides"), sys.platform)
    if override.get("env") and config.get("env"):
        yield PlanNote(
            "replaces_environment",
            f"On {sys.platform} its manifest replaces all of its variables by others.",
            is_warning=False,
        )


def _about_the_source(request: InstallRequest, found: InstalledBundle) -> Iterator[PlanNote]:
    if request.source is SourceKind.APP:
        yield PlanNote(
            "not_loaded",
            "Its code was not loaded for this: installing it loads it once, without credentials, "
            "to learn its name and kind.",
            is_warning=False,
        )
    if request.source is SourceKind.WORKER:
        yield PlanNote(
            "not_loaded",
            "Its module is not loaded for this: it is at its start, and tells its tasks then.",
            is_warning=False,
        )
    if needs_lookup(found.definition):
        yield PlanNote(
            "looked_up",
            f"The version of {', '.join(found.definition.requirements)} is looked up and pinned "
            "when it is installed.",
            is_warning=False,
        )
    if found.signed_by is not None:
        who = f"by {found.signed_by}" if found.signed_by else "by nobody that could be made out"
        yield PlanNote(
            "signed",
            f"Signed {who}; its chain is not checked, so that proves nothing.",
            is_warning=False,
        )


def _about_the_copy(definition: Definition) -> Iterator[PlanNote]:
    if (copy := pinned_copy_of(definition)) is not None:
        yield PlanNote(
            "resolved",
            f"An installed copy of {copy.package}, pinned to the version that is looked up when it "
            "is installed, runs in place of this command.",
            is_warning=False,
        )


def _mcp_config(root: Path) -> dict[str, Any]:
    data = read_json(root / MANIFEST_NAME, BadManifest)
    return _table(_table(data, "server"), "mcp_config")


def _table(data: Any, key: str) -> dict[str, Any]:
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}
