"""Plans for the prepare step: a private Python environment with a bundle's requirements.

The steps build beside the final place, which is published by one rename. Console scripts name their
interpreter by its absolute path, so the last step points them at the final place beforehand.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from roost.bundles import relocate
from roost.bundles.environment import prepare_environment
from roost.errors import CommandNotFound
from roost.models import Definition, PreparePlan, PrepareStep


def plan_prepare(
    definition: Definition,
    *,
    prepared_root: Path,
    python: str,
    uv: str | None,
    environ: Mapping[str, str],
) -> PreparePlan | None:
    """Return how to make the private environment, or None when the definition needs none.

    The place depends on the requirements and the interpreter, so equal needs share one.

    Args:
        definition: what is to be prepared.
        prepared_root: directory of prepared environments.
        python: absolute path of Roost's own interpreter.
        uv: absolute path of uv, or None to use venv and pip.
        environ: the daemon's environment, reduced here to what installers need.

    Raises:
        CommandNotFound: the wanted interpreter does not exist and uv is not there to fetch it.
    """
    if not definition.requirements:
        return None
    env = prepare_environment(environ)
    wanted = definition.python or python
    final = prepared_root / _identity(definition, wanted)
    # Longer than the final path: a script whose interpreter line fits here fits there too.
    partial = final.with_name(f"{final.name}.partial")
    if uv is not None:
        steps = _uv_steps(uv, wanted, partial, definition.requirements, env)
    else:
        steps = _pip_steps(_interpreter(definition, python, env), partial, definition, env)
    script = str(Path(relocate.__file__))
    move = (python, "-I", script, str(partial), str(final))
    last = PrepareStep("point the scripts at their place", move, env)
    return PreparePlan(str(partial), str(final), (*steps, last))


def _identity(definition: Definition, interpreter: str) -> str:
    needs = json.dumps([interpreter, *sorted(definition.requirements)])
    return hashlib.sha256(needs.encode()).hexdigest()[:16]


def _uv_steps(
    uv: str, wanted: str, partial: Path, requirements: tuple[str, ...], env: dict[str, str]
) -> tuple[PrepareStep, ...]:
    quiet = env | {"UV_NO_PROGRESS": "1"}
    make = (uv, "venv", "--no-project", "--python", wanted, str(partial))
    install = (uv, "pip", "install", "--python", f"{partial}/bin/python", "--", *requirements)
    return (
        PrepareStep(f"make an environment with {wanted}", make, quiet),
        PrepareStep(f"install {', '.join(requirements)}", install, quiet),
    )


def _pip_steps(
    interpreter: str, partial: Path, definition: Definition, env: dict[str, str]
) -> tuple[PrepareStep, ...]:
    quiet = env | {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    make = (interpreter, "-m", "venv", str(partial))
    pip = (f"{partial}/bin/python", "-m", "pip", "install", "--progress-bar", "off")
    requirements = definition.requirements
    return (
        PrepareStep(f"make an environment with {interpreter}", make, quiet),
        PrepareStep(f"install {', '.join(requirements)}", (*pip, "--", *requirements), quiet),
    )


def _interpreter(definition: Definition, python: str, env: Mapping[str, str]) -> str:
    if definition.python is None:
        return python
    name = f"python{definition.python}"
    found = shutil.which(name, path=env["PATH"])
    if found is None:
        raise CommandNotFound(name)
    return found
