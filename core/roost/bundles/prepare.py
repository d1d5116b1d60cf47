"""Plans for the prepare step: a private place with what a bundle needs.

Python bundles get an environment, Node bundles a folder of modules. The steps build beside the
final place, which is published by one rename. Console scripts name their interpreter by its
absolute path, so the last step points them at the final place beforehand.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roost.bundles import project_copy, relocate
from roost.bundles.environment import prepare_environment
from roost.bundles.installers import Installers
from roost.bundles.projects import read_needs
from roost.errors import CommandNotFound, Refused
from roost.models import Definition, PreparePlan, PrepareStep, Runtime

_WORKING = {
    "UV_NO_PROGRESS": "1",
    "UV_COMPILE_BYTECODE": "1",
    "PIP_NO_INPUT": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "npm_config_update_notifier": "false",
}
"""What every installer is told: no questions, no progress bars, and all compiled beforehand."""

_NPM_OPTIONS = (
    "--no-audit",
    "--no-fund",
    "--no-progress",
    "--no-save",
    "--no-package-lock",
    "--no-global",
    "--omit=dev",
    "--install-strategy=hoisted",
    "--loglevel=error",
)


def plan_prepare(
    definition: Definition,
    *,
    prepared_root: Path,
    installers: Installers,
    environ: Mapping[str, str],
) -> PreparePlan | None:
    """Return how to make the private place, or None when the definition needs none.

    The place depends on the requirements and the interpreter, so equal needs share one.

    Args:
        definition: what is to be prepared.
        prepared_root: directory of prepared places.
        installers: package managers of this machine.
        environ: the daemon's environment, reduced here to what installers need.

    Raises:
        CommandNotFound: the wanted interpreter or package manager does not exist.
        Refused: a project cannot be installed without uv, which is not there.
    """
    if not definition.requirements and not definition.is_project:
        return None
    final = prepared_place(definition, prepared_root, installers.python)
    # Longer than the final path: a script whose interpreter line fits here fits there too.
    partial = final.with_name(f"{final.name}.partial")
    env = prepare_environment(environ) | _WORKING
    work = _Work(definition, installers, partial, env)
    if definition.runtime is Runtime.NODE:
        return PreparePlan(str(partial), str(final), work.npm())
    steps = work.uv(installers.uv) if installers.uv is not None else work.pip()
    script = str(Path(relocate.__file__))
    move = (installers.python, "-I", script, str(partial), str(final))
    last = PrepareStep("point the scripts at their place", move, env)
    return PreparePlan(str(partial), str(final), (*steps, last))


def plan_npm(npm: str, requirement: str, place: Path, environ: Mapping[str, str]) -> PreparePlan:
    """Return how to install one package of npm for Roost itself.

    Args:
        npm: absolute path of the package manager.
        requirement: the package with its exact version.
        place: where its folder of modules is made.
        environ: the daemon's environment, reduced here to what installers need.
    """
    partial = place.with_name(f"{place.name}.partial")
    env = prepare_environment(environ) | _WORKING
    step = _npm_step(npm, (requirement,), partial, env)
    return PreparePlan(str(partial), str(place), (step,))


def _npm_step(npm: str, packages: tuple[str, ...], place: Path, env: dict[str, str]) -> PrepareStep:
    install = (npm, "install", *_NPM_OPTIONS, "--prefix", str(place), "--", *packages)
    return PrepareStep(f"install {', '.join(packages)}", install, env)


def prepared_place(definition: Definition, prepared_root: Path, python: str) -> Path:
    """Return where the private place of a definition with needs lies.

    Args:
        python: absolute path of Roost's own interpreter.
    """
    needs = sorted(definition.requirements)
    if definition.runtime is Runtime.NODE:
        parts = ["npm", definition.command, *needs]
    elif definition.is_project:
        source = definition.source.sha256 or ""
        parts = ["project", definition.python or python, str(definition.root), source, *needs]
    else:
        parts = [definition.python or python, *needs]
    return prepared_root / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Work:
    """The steps for one definition."""

    definition: Definition
    installers: Installers
    partial: Path
    env: dict[str, str]

    @property
    def python(self) -> str:
        return f"{self.partial}/bin/python"

    @property
    def copy(self) -> str:
        """Where the copy of a project lies; it keeps the lock that was installed from."""
        return f"{self.partial}/project"

    def step(self, title: str, *argv: str) -> PrepareStep:
        return PrepareStep(title, argv, self.env)

    def npm(self) -> tuple[PrepareStep, ...]:
        npm, packages = self.installers.npm, self.definition.requirements
        if npm is None:
            raise CommandNotFound("npm")
        return (_npm_step(npm, packages, self.partial, self.env),)

    def uv(self, uv: str) -> tuple[PrepareStep, ...]:
        wanted = self.definition.python or self.installers.python
        if self.definition.is_project:
            return (*self._uv_project(uv), *self._uv_packages(uv))
        make = (uv, "venv", "--no-project", "--python", wanted, str(self.partial))
        return (self.step(f"make an environment with {wanted}", *make), *self._uv_packages(uv))

    def _uv_packages(self, uv: str) -> tuple[PrepareStep, ...]:
        packages = self.definition.requirements
        if not packages:
            return ()
        install = (uv, "pip", "install", "--python", self.python, "--", *packages)
        return (self.step(f"install {', '.join(packages)}", *install),)

    def _uv_project(self, uv: str) -> tuple[PrepareStep, ...]:
        root, python = str(self.definition.root), self.definition.python
        chosen = () if python is None else ("--python", python)
        make = (uv, "venv", *chosen, "--directory", root, str(self.partial))
        sync = (uv, "sync", "--no-dev", "--no-editable", "--python", self.python)
        in_place = PrepareStep(
            f"install the project {self.definition.title}",
            (*sync, "--directory", self.copy),
            self.env | {"UV_PROJECT_ENVIRONMENT": str(self.partial)},
        )
        title = "make an environment with the Python that the project asks for"
        return (self.step(title, *make), self._copy_step(), in_place)

    def _copy_step(self) -> PrepareStep:
        script = str(Path(project_copy.__file__))
        argv = (self.installers.python, "-I", script, str(self.definition.root), self.copy)
        return self.step("copy the project", *argv)

    def pip(self) -> tuple[PrepareStep, ...]:
        interpreter = self._interpreter()
        make = (interpreter, "-m", "venv", str(self.partial))
        first = self.step(f"make an environment with {interpreter}", *make)
        if not self.definition.is_project:
            return (first, *self._pip_packages(self.definition.requirements))
        return (first, *self._pip_project())

    def _pip_packages(self, packages: tuple[str, ...]) -> tuple[PrepareStep, ...]:
        if not packages:
            return ()
        pip = (self.python, "-m", "pip", "install", "--progress-bar", "off")
        return (self.step(f"install {', '.join(packages)}", *pip, "--", *packages),)

    def _pip_project(self) -> tuple[PrepareStep, ...]:
        needs = read_needs(Path(str(self.definition.root)), minor=self._minor())
        if needs.only_uv is not None:
            raise Refused(
                f"{self.definition.title!r} can only be installed by uv, which is not there: "
                f"{needs.only_uv}; install uv and start it again"
            )
        others = self.definition.requirements
        if needs.is_package:
            return (self._copy_step(), *self._pip_packages((self.copy, *others)))
        return self._pip_packages((*needs.dependencies, *others))

    def _minor(self) -> int:
        python = self.definition.python
        return sys.version_info.minor if python is None else int(python.partition(".")[2])

    def _interpreter(self) -> str:
        if self.definition.python is None:
            return self.installers.python
        name = f"python{self.definition.python}"
        found = shutil.which(name, path=self.env["PATH"])
        if found is None:
            raise CommandNotFound(name)
        return found
