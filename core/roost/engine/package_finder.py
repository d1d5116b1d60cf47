"""`PackageFinder`: looks up which package and version a command or requirement stands for now."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from roost.bundles.forbidden import why_forbidden
from roost.bundles.package_answers import (
    FoundPackage,
    failure_of,
    not_found,
    read_installed,
    read_npm_view,
)
from roost.bundles.packages import PREPARED_BIN, PREPARED_MODULES, package_to_find
from roost.bundles.wrappers import FetchedPackage
from roost.drivers.base import Mark, SpawnSpec
from roost.engine.short_program import ProgramOutput, run_short_program
from roost.errors import CommandNotFound, Refused, Unavailable
from roost.models import Definition, Runtime, Source, SourceKind

if TYPE_CHECKING:
    from roost.engine.engine import Engine

LOOKUP_BOUND_S = 90.0
"""One package without what it needs; past this the registry does not answer."""

_QUICK_TO_GIVE_UP = {
    "npm_config_fetch_retries": "1",
    "npm_config_fetch_retry_mintimeout": "500",
    "npm_config_fetch_timeout": "20000",
    "npm_config_update_notifier": "false",
    "PIP_RETRIES": "1",
    "PIP_DEFAULT_TIMEOUT": "20",
    "PIP_NO_INPUT": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "UV_HTTP_RETRIES": "1",
    "UV_HTTP_TIMEOUT": "20",
    "UV_NO_PROGRESS": "1",
}
"""An operator waits for the answer, unlike for the prepare step."""


class PackageFinder:
    """Asks package managers, each in a process that is ended with its question."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def pinned(self, definition: Definition) -> Definition:
        """Return the definition that runs an installed, pinned copy instead.

        The exact version is looked up over the network; nothing is installed: the prepare step of
        the next start does that.

        Args:
            definition: one whose command fetches its package (npx, uvx), or whose requirement
                names no version.

        Raises:
            Refused: the command fetches nothing that can be pinned.
            PackageNotFound: the registry has no such package or version.
            CommandNotFound: the package manager is not installed.
            Unavailable: the registry cannot be reached.
        """
        wanted = _wanted(definition)
        if wanted.registry is SourceKind.NPM:
            return await self._pinned_npm(definition, wanted)
        return await self._pinned_pypi(definition, wanted)

    async def _pinned_npm(self, definition: Definition, wanted: FetchedPackage) -> Definition:
        tools = self._engine.recipes.installers
        npm, node = self._program(tools.npm, "npm"), self._program(tools.node, "node")
        fields = ("name", "version", "bin", "dist-tags")
        with tempfile.TemporaryDirectory(prefix="roost-npm-") as cwd:
            argv = (npm, "view", wanted.requirement, *fields, "--json", "--loglevel=error")
            said = await self._ask("npm", wanted, argv, cwd)
        found = read_npm_view(said.stdout)
        if found is None:
            raise not_found("npm", wanted.requirement)
        program = _program_of(found, wanted)
        entry = f"{PREPARED_MODULES}{found.name}/{found.programs[program]}"
        requirement = f"{found.name}@{found.version}"
        return _with_package(
            definition,
            wanted,
            runtime=Runtime.NODE,
            version=found.version,
            command=node,
            args=(entry, *wanted.args),
            requirements=(requirement,),
            source=Source(SourceKind.NPM, requirement),
        )

    async def _pinned_pypi(self, definition: Definition, wanted: FetchedPackage) -> Definition:
        with tempfile.TemporaryDirectory(prefix="roost-pypi-") as cwd:
            target = f"{cwd}/found"
            manager, argv = self._python_install(wanted, target)
            await self._ask(manager, wanted, argv, cwd)
            found = await asyncio.to_thread(read_installed, Path(target), wanted.name)
        if found is None:
            raise not_found(manager, wanted.requirement)
        program = _program_of(found, wanted)
        requirement = f"{wanted.name}{wanted.extras}=={found.version}"
        return _with_package(
            definition,
            wanted,
            runtime=Runtime.PYTHON,
            version=found.version,
            command=PREPARED_BIN + program,
            args=wanted.args,
            requirements=(requirement, *wanted.with_requirements),
            source=Source(SourceKind.PYPI, requirement),
            python=wanted.python,
        )

    def _python_install(self, wanted: FetchedPackage, target: str) -> tuple[str, tuple[str, ...]]:
        """Return the command that puts the package alone, which shows its version and programs."""
        tools = self._engine.recipes.installers
        what = ("--no-deps", "--target", target, "--", wanted.requirement)
        if tools.uv is not None:
            uv = (tools.uv, "pip", "install", "--python", tools.python)
            version = ("--python-version", wanted.python) if wanted.python else ()
            return "uv", (*uv, *version, *what)
        pip = (tools.python, "-m", "pip", "install", "--quiet", "--no-compile")
        if wanted.python is None:
            return "pip", (*pip, *what)
        other = ("--python-version", wanted.python, "--only-binary", ":all:")
        return "pip", (*pip, *other, *what)

    async def _ask(
        self, manager: str, wanted: FetchedPackage, argv: tuple[str, ...], cwd: str
    ) -> ProgramOutput:
        engine = self._engine
        env = engine.recipes.prepare_env | _QUICK_TO_GIVE_UP
        mark = Mark(engine.store.data_id, "lookup", "", "")
        try:
            said = await run_short_program(
                engine.driver, SpawnSpec(argv, env, cwd, mark), bound_s=LOOKUP_BOUND_S
            )
        except TimeoutError:
            raise Unavailable(
                f"{wanted.name} was not looked up: {manager} did not answer within "
                f"{LOOKUP_BOUND_S:g} s; check this machine's network, then try again"
            ) from None
        if not said.ended.is_clean:
            raise failure_of(manager, wanted.requirement, said.stderr + said.stdout)
        return said

    def _program(self, path: str | None, name: str) -> str:
        if path is None:
            raise CommandNotFound(name)
        return path


def _wanted(definition: Definition) -> FetchedPackage:
    wanted = package_to_find(definition)
    if wanted is None:
        raise Refused(
            f"{definition.title!r} fetches no package that can be told for certain, so there is "
            "nothing to pin; it stays as it is"
        )
    for name, value in wanted.env.items():
        if (reason := why_forbidden(name, value)) is not None:
            raise Refused(f"{definition.title!r} is not pinned: it sets {name}: {reason}")
    return wanted


def _program_of(found: FoundPackage, wanted: FetchedPackage) -> str:
    name = wanted.name.rpartition("/")[2]
    program = found.program(name if wanted.program is None else wanted.program)
    if program is None:
        brought = ", ".join(sorted(found.programs)) or "none"
        raise Refused(
            f"{found.name} {found.version} has no program {wanted.program or name!r}; it brings "
            f"{brought}: name one of these",
            programs=sorted(found.programs),
        )
    return program


def _with_package(definition: Definition, wanted: FetchedPackage, **changes: object) -> Definition:
    return replace(definition, env=definition.env | wanted.env, **changes)  # type: ignore[arg-type]
