"""What the demo installs: real servers and apps in two workspaces."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roost.client.wire import Wire
from roost.errors import AlreadyExists
from roost.models import (
    BundleKind,
    InstallRequest,
    SourceKind,
    codec,
)

APPS = Path(__file__).parent / "apps"

TASKS = Path(__file__).parent / "tasks"

ACME = "acme"
LAB = "lab"

TIME_REQUIREMENT = "mcp-server-time==2026.10.19"
GIT_REQUIREMENT = "mcp-server-git==2026.10.19"


@dataclass(frozen=True, slots=True)
class DemoBundle:
    """One bundle of the demo."""

    workspace: str
    request: InstallRequest


def demo_bundles(data_dir: Path) -> tuple[DemoBundle, ...]:
    """Return everything the demo installs, in order.

    Args:
        data_dir: the demo's data directory; the git server is pointed at a repository in it.
    """
    return (
        DemoBundle(ACME, _beacon()),
        DemoBundle(ACME, _flaky()),
        DemoBundle(ACME, _greeter()),
        DemoBundle(LAB, _pypi("time", TIME_REQUIREMENT, ("--local-timezone", "UTC"))),
        DemoBundle(LAB, _pypi("git", GIT_REQUIREMENT, ("--repository", str(demo_repo(data_dir))))),
        DemoBundle(LAB, _ticker()),
        DemoBundle(LAB, _pipeline()),
    )


def demo_repo(data_dir: Path) -> Path:
    """Return the repository the git server works on."""
    return data_dir / "demo-repo"


def _beacon() -> InstallRequest:
    return InstallRequest(source=SourceKind.MCPB, name="beacon", path=str(APPS / "beacon"))


def _flaky() -> InstallRequest:
    return InstallRequest(
        source=SourceKind.COMMAND,
        name="flaky",
        kind=BundleKind.COMMAND,
        command=(sys.executable, str(APPS / "flaky.py")),
    )


def _greeter() -> InstallRequest:
    return InstallRequest(
        source=SourceKind.APP,
        name="greeter",
        path=str(APPS / "greeter"),
        env={"GREETING": "Welcome to Acme"},
        ready_path="/healthz",
    )


def _ticker() -> InstallRequest:
    return InstallRequest(source=SourceKind.APP, name="ticker", path=str(APPS / "ticker"))


def _pipeline() -> InstallRequest:
    return InstallRequest(
        source=SourceKind.WORKER, name="pipeline", entry="pipeline", path=str(TASKS)
    )


def _pypi(name: str, requirement: str, arguments: tuple[str, ...]) -> InstallRequest:
    return InstallRequest(
        source=SourceKind.PYPI, name=name, requirement=requirement, command=arguments
    )


def provision(wire: Wire, data_dir: Path) -> None:
    """Create the workspaces and install what is not there yet; safe to call again."""
    make_repo(demo_repo(data_dir))
    for workspace, label in ((ACME, "Acme, production"), (LAB, "Lab")):
        _once(wire, "/v1/workspaces", {"id": workspace, "label": label})
    for bundle in demo_bundles(data_dir):
        install(wire, bundle)


def keep_key_in_file(data_dir: Path) -> None:
    """Keep the demo out of the keyring of the system, which outlives its data."""
    (data_dir / "settings.toml").write_text('vault_key_store = "file"\n')


def install(wire: Wire, bundle: DemoBundle) -> None:
    """Install one bundle of the demo unless it is there."""
    _once(wire, f"/v1/workspaces/{bundle.workspace}/bundles", bundle.request)


def _once(wire: Wire, path: str, body: Any) -> None:
    try:
        wire.send("POST", path, codec.to_json(body))
    except AlreadyExists:
        return


def make_repo(path: Path) -> None:
    """Make a small git repository with two commits, where git is installed."""
    git = shutil.which("git")
    if git is None or (path / ".git").is_dir():
        return
    path.mkdir(parents=True, exist_ok=True)
    _git(git, path, "init", "--quiet", "--initial-branch", "main")
    for number, line in enumerate(("first light\n", "second light\n"), start=1):
        (path / "beacon.txt").write_text(line)
        _git(git, path, "add", "beacon.txt")
        _git(git, path, "commit", "--quiet", "-m", f"light {number}")


def _git(git: str, path: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Roost demo", "-c", "user.email=demo@localhost")
    command = [git, "-C", str(path), *identity, *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
