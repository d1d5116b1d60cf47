"""`plan_bundle`: what an install would do, for an operator to review before anything runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Container
from dataclasses import replace
from pathlib import Path

from roost.bundles.apps import AppDescription
from roost.bundles.fields import is_empty
from roost.bundles.install import read_bundle
from roost.bundles.install_place import InstalledBundle
from roost.bundles.plan_notes import notes_of
from roost.bundles.templates import CONFIG_PREFIX, config_key, substitute
from roost.bundles.unpacked import BundleFolders
from roost.bundles.wrappers import pinned_copy_of
from roost.models import (
    BundleKind,
    Definition,
    InstallPlan,
    InstallRequest,
    LaunchContext,
    Runtime,
)
from roost.vault import value_text

_TOLD_A_PORT = (BundleKind.WEB, BundleKind.MCP_HTTP)


def plan_bundle(
    request: InstallRequest,
    *,
    workspace: str,
    bundles_dir: Path,
    context: Callable[[str], LaunchContext],
    python: str,
    which: Callable[[str], str | None],
    taken: Container[str] = (),
) -> InstallPlan:
    """Say what an install would do. What has to be unpacked to be read is removed again.

    Blocks on the disk: call it in a thread.

    Args:
        request: what would be installed.
        workspace: where it would belong.
        bundles_dir: root of the unpacked versions.
        context: facts of a start of the bundle of a name.
        python: absolute path of the interpreter that `python` in a manifest means.
        which: finds a program by name.
        taken: bundle names in use in this workspace.

    Raises:
        What `read_bundle` raises.
    """
    folders = BundleFolders(bundles_dir)
    with folders.partial() as scratch:
        scratch.mkdir()
        found = read_bundle(
            request,
            workspace=workspace,
            bundles_dir=scratch,
            python=python,
            which=which,
            taken=taken,
            describe=_not_loaded(request),
        )
        notes = notes_of(request, found)
    definition = _placed(found, folders, workspace)
    facts = context(found.name)
    return InstallPlan(
        name=found.name,
        definition=definition,
        argv=_argv(definition, facts, which),
        directories=_directories(definition, facts),
        env_names=_env_names(definition),
        given_fields=tuple(sorted(found.values)),
        missing_fields=_missing(found),
        notes=notes,
        copy=None if request.resolve else pinned_copy_of(definition),
        sha256=definition.source.sha256,
        content_sha256=definition.source.content_sha256,
        signed_by=found.signed_by,
    )


def _not_loaded(request: InstallRequest) -> Callable[[tuple[str, ...]], AppDescription]:
    """Stand for the loading of an app, which would run its code."""
    name = request.name or os.path.basename(os.path.normpath(request.path or "")) or "app"

    def describe(command: tuple[str, ...]) -> AppDescription:
        return AppDescription(name, BundleKind.WEB if request.port else BundleKind.COMMAND)

    return describe


def _placed(found: InstalledBundle, folders: BundleFolders, workspace: str) -> Definition:
    """Return the definition with the directory it would lie in, without its random part."""
    definition = found.definition
    if definition.root is None:
        return definition
    digest = (definition.source.sha256 or "")[:12]
    final = folders.root / workspace / found.name / f"{definition.version}-{digest}"
    return replace(definition, root=str(final))


def _argv(
    definition: Definition, facts: LaunchContext, which: Callable[[str], str | None]
) -> tuple[str, ...]:
    if not definition.command:
        return ()
    look_up = _lookup(definition, facts)
    program = substitute(definition.command, look_up)
    if "/" not in program and "<" not in program:
        program = which(program) or program
    several = {field.key for field in definition.fields if field.multiple}
    args = [
        substitute(template, look_up) + (" …" if config_key(template) in several else "")
        for template in definition.args
    ]
    return (program, *args)


def _lookup(definition: Definition, facts: LaunchContext) -> Callable[[str], str | None]:
    """Return what stands for a placeholder on screen: a fact, a default, or the field's name."""
    system: dict[str, str | None] = {
        "HOME": facts.home,
        "DESKTOP": f"{facts.home}/Desktop",
        "DOCUMENTS": f"{facts.home}/Documents",
        "DOWNLOADS": f"{facts.home}/Downloads",
        "pathSeparator": "/",
        "/": "/",
        "__dirname": definition.root,
        "prepared": "<prepared>",
        "port": "<port>" if definition.port is None else str(definition.port),
    }
    fields = {field.key: field for field in definition.fields}

    def look_up(name: str) -> str | None:
        if not name.startswith(CONFIG_PREFIX):
            return system.get(name)
        field = fields.get(name.removeprefix(CONFIG_PREFIX))
        if field is None:
            return None
        default = field.default
        if field.sensitive or default is None or isinstance(default, list):
            return f"<{field.key}>"
        return substitute(value_text(default), system.get)

    return look_up


def _directories(definition: Definition, facts: LaunchContext) -> tuple[str, ...]:
    if not definition.command:
        return ()
    work = definition.directory or definition.root or facts.state_dir
    found = (definition.root, work, facts.state_dir)
    return tuple(dict.fromkeys(path for path in found if path is not None))


def _env_names(definition: Definition) -> tuple[str, ...]:
    names = set(definition.env)
    if definition.command and definition.kind in _TOLD_A_PORT:
        names.add("PORT")
    if definition.runtime is Runtime.UV and definition.root is not None:
        names.add("UV_PROJECT_ENVIRONMENT")
    return tuple(sorted(names))


def _missing(found: InstalledBundle) -> tuple[str, ...]:
    return tuple(
        field.key
        for field in found.definition.fields
        if field.required and is_empty(field.default) and field.key not in found.values
    )
