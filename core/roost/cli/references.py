"""What a person types to name a workspace, a bundle or a run, and what it stands for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from roost.cli.session import Session
from roost.client.wire import Wire, quote
from roost.errors import BadInput, NotFound, RunNotFound, error_from_wire


class BundleRef:
    """A bundle's place: its workspace and name."""

    __slots__ = ("name", "workspace")

    def __init__(self, workspace: str, name: str) -> None:
        self.workspace = workspace
        self.name = name

    def __str__(self) -> str:
        return f"{self.workspace}/{self.name}"

    def path(self, below: str = "") -> str:
        """Return the bundle's path in the API, or one below it."""
        path = f"{workspace_path(self.workspace)}/bundles/{quote(self.name)}"
        return f"{path}/{below}" if below else path


def workspace_path(workspace: str) -> str:
    """Return a workspace's path in the API."""
    return f"/v1/workspaces/{quote(workspace)}"


def run_path(workspace: str, run_id: str, below: str = "") -> str:
    """Return a run's path in the API, or one below it."""
    path = f"{workspace_path(workspace)}/runs/{quote(run_id)}"
    return f"{path}/{below}" if below else path


def find_bundle(session: Session, wire: Wire, text: str) -> BundleRef:
    """Return the bundle that ``NAME`` or ``WORKSPACE/NAME`` stands for.

    A name alone is looked for in the workspace of ``-w``, else in all of them.

    Raises:
        BadInput: several workspaces have a bundle of this name.
        NotFound: none has.
    """
    workspace, slash, name = text.rpartition("/")
    if slash:
        return BundleRef(workspace, name)
    if session.workspace is not None:
        return BundleRef(session.workspace, text)
    found = [view for view in wire.get("/v1/bundles") if view["name"] == text]
    if not found:
        raise error_from_wire(
            "bundle_not_found",
            f"there is no bundle {text!r} in any workspace; `roost ps` lists those that exist, "
            "`roost add` installs one",
            {"bundle": text},
        )
    _refuse_several(f"bundles {text!r}", (f"{view['workspace']}/{text}" for view in found))
    return BundleRef(found[0]["workspace"], text)


def find_workspace(session: Session, wire: Wire, *, or_first: bool = False) -> str:
    """Return the workspace of ``-w``, or the only one there is.

    Args:
        or_first: whether the one that a first install makes will do where there is none.

    Raises:
        BadInput: there are several.
        NotFound: there is none.
    """
    if session.workspace is not None:
        return session.workspace
    ids = [str(view["id"]) for view in wire.get("/v1/workspaces")]
    if not ids and or_first:
        return "default"
    if not ids:
        raise NotFound("there is no workspace yet; make one with `roost workspace create NAME`")
    _refuse_several("workspaces", ids, "choose one with -w")
    return ids[0]


def find_run(session: Session, wire: Wire, text: str) -> tuple[str, dict[str, Any]]:
    """Return a run's workspace and detail; ``ID`` or ``WORKSPACE/ID`` name it.

    Raises:
        RunNotFound: no workspace that was looked into has it.
    """
    workspace, slash, run_id = text.rpartition("/")
    chosen = workspace if slash else session.workspace
    if chosen is not None:
        return chosen, wire.get(run_path(chosen, run_id))
    for view in wire.get("/v1/workspaces"):
        try:
            return view["id"], wire.get(run_path(view["id"], run_id))
        except NotFound:
            continue
    raise RunNotFound(run_id)


def _refuse_several(
    what: str, candidates: Iterable[str], advice: str = "name one of them in full"
) -> None:
    listed = sorted(candidates)
    if len(listed) > 1:
        raise BadInput(
            f"there are {len(listed)} {what}: {', '.join(listed)}; {advice}", candidates=listed
        )
