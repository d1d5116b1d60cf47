"""Workers as bundles: a Python module that registers tasks, and the command that runs it.

Nothing of it is loaded before its start: then it tells itself which tasks it offers.
"""

from __future__ import annotations

import os

from roost.bundles.install_place import InstalledBundle, InstallPlace, check_texts
from roost.bundles.literals import take_apart
from roost.bundles.web import refuse_web
from roost.errors import BadInput
from roost.models import BundleKind, Definition, InstallRequest, Runtime, Source, SourceKind

RUNNER = "roost.worker"
"""Module that loads a worker's module and does its runs."""

_HELP = "give it as Python imports it, such as `jobs` or `shop.jobs`"


def read_worker(request: InstallRequest, place: InstallPlace) -> InstalledBundle:
    """Return a worker's definition; its module is not looked at.

    Raises:
        BadInput: the module has no name that can be imported, or its directory cannot be used.
    """
    refuse_web(request)
    module, directory = _module(request), _directory(request)
    programs = place.programs
    python = programs.python if request.python is None else programs.find(request.python)
    literal = take_apart(request.env, BadInput)
    name = place.name(request.name, module)
    definition = Definition(
        kind=BundleKind.WORKER,
        runtime=Runtime.PYTHON,
        title=name,
        version="",
        command=python,
        source=Source(SourceKind.WORKER, f"{directory}#{module}"),
        args=("-m", RUNNER, module, "--directory", directory),
        env=literal.env,
        fields=literal.fields,
        settings=request.settings,
    )
    return InstalledBundle(name, definition, literal.values)


def worker_directory(definition: Definition) -> str | None:
    """Return where a worker's module lies; None for a worker that a command of its own starts."""
    return definition.args[-1] if definition.source.kind is SourceKind.WORKER else None


def _module(request: InstallRequest) -> str:
    module = request.entry or ""
    is_file = module.endswith(".py")
    if is_file or not all(part.isidentifier() for part in module.split(".")):
        raise BadInput(f"{module[:100]!r} is no name of a module; {_HELP}")
    return module


def _directory(request: InstallRequest) -> str:
    path = request.path or ""
    check_texts((path,))
    if not os.path.isabs(path) or not os.path.isdir(path):
        raise BadInput(
            f"{path!r} is no directory; give the full path of the one that the worker's module "
            "lies in"
        )
    if "${" in path:
        raise BadInput(f"{path!r} holds ${{, which stands for values; rename the directory")
    return path
