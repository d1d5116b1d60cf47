"""`NodeWork`: one build of a Node snapshot, as the two ways to make one see it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from roost.errors import TemplateFailed
from roost.models import Reason
from roost.models.snapshot import SnapshotBackend, SnapshotState
from roost.snapshots.backend import Answered, Tracer
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry
from roost.snapshots.environment import template_environment
from roost.snapshots.node_key import is_node_startup_name
from roost.snapshots.node_runtime import NodeRuntime
from roost.snapshots.node_template import Spawning
from roost.snapshots.node_tool import TOOL_BOUND_S, ToolEnd, run_tool

PROGRAMS = Path(__file__).with_name("node_build")
"""Small programs that run under the bundle's own Node."""


class BuildEnded(Exception):
    """A build ends here, as an attempt."""

    def __init__(self, state: SnapshotState, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = Reason(code, sentence)
        self.state = state


class Bundler(Protocol):
    """Has the program that makes one script of many files."""

    async def directory(self, workspace: str, bundle: str) -> str:
        """Return where it is, installed on first use.

        Raises:
            RoostError: it cannot be installed.
        """
        ...


@dataclass(frozen=True, slots=True)
class NodeWork:
    """One build. Its tools run without any credential in their environment."""

    driver: Spawning
    data_id: str
    start: ColdStart
    entry: Entry
    directory: str
    """Where the files of the snapshot are made; nothing else is in it."""

    async def tool(
        self, *words: str, reads: Collection[str] = (), bound_s: float = TOOL_BOUND_S
    ) -> ToolEnd:
        """Run the bundle's Node without the options of its start, and wait for its end.

        Args:
            words: what follows Node in the command.
            reads: names of variables that it may see besides, unless they hold a credential.
            bound_s: seconds it may take.
        """
        owner = (self.data_id, self.start.workspace, self.start.name)
        argv = (self.entry.interpreter, *words)
        cwd = self.start.launch.cwd
        env = self.environment(reads)
        return await run_tool(self.driver, argv, env, cwd, owner, bound_s=bound_s)

    def environment(self, reads: Collection[str] = ()) -> dict[str, str]:
        """Return what a step of the build sees of the start's: no credential is in it."""
        start = self.start
        names = {name for name in start.launch.env if is_node_startup_name(name)} | set(reads)
        return template_environment(start.launch.env, start.credentials, names)

    async def bundle(self, bundler: str, kind: SnapshotBackend) -> dict[str, Any]:
        """Make one script of the program and return what is known of it.

        Raises:
            BuildEnded: the program cannot be bundled.
        """
        job = os.path.join(self.directory, "job.json")
        facts = os.path.join(self.directory, "bundle.json")
        await asyncio.to_thread(
            write_json,
            job,
            {
                "bundler": bundler,
                "script": self.entry.target,
                "out": self.directory,
                "kind": str(kind),
            },
        )
        ended = await self.tool(str(PROGRAMS / "bundle.cjs"), job)
        if not ended.is_clean:
            raise BuildEnded(
                SnapshotState.REFUSED,
                "not_bundled",
                f"{self.entry.target} cannot be made one script: the bundler {ended}; it starts "
                "cold",
            )
        return await asyncio.to_thread(_take, job, facts)

    def path(self, name: str) -> str:
        """Return where a file of the snapshot lies."""
        return os.path.join(self.directory, name)


class NodeWay(Protocol):
    """One way to prepare a Node program on disk."""

    @property
    def kind(self) -> SnapshotBackend: ...

    async def make(self, work: NodeWork, facts: dict[str, Any], tracer: Tracer) -> Answered | None:
        """Make the files of a snapshot out of a bundled script.

        Returns:
            What the program answered if it was started for that.

        Raises:
            BuildEnded, RoostError: there can be none.
        """
        ...

    def refusal(self, runtime: NodeRuntime) -> Reason | None:
        """Return why a Node cannot start what is prepared this way."""
        ...

    def words(self, entry: Entry, directory: str) -> tuple[str, ...]:
        """Return what stands in a start's command in place of Node, its options and the script."""
        ...

    def objection(self, directory: str) -> Reason | None:
        """Return why files that are as they were made are not to be used; cheap."""
        ...

    def reads(self, facts: dict[str, Any]) -> tuple[str, ...]:
        """Return names of variables whose values are in the files."""
        ...


def write_json(path: str, value: object) -> None:
    """Write a file of this user alone."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file)


def read_json(path: str) -> dict[str, Any]:
    """Read what a step of a build has told.

    Raises:
        TemplateFailed: it told nothing.
    """
    try:
        with open(path, encoding="utf-8") as file:
            told: dict[str, Any] = json.load(file)
    except (OSError, ValueError) as error:
        raise TemplateFailed(f"a step of the build has told nothing ({error})") from error
    return told


def copy_program(name: str, directory: str) -> None:
    """Put one of the small programs beside the files that it is for."""
    shutil.copyfile(PROGRAMS / name, os.path.join(directory, name))


def _take(job: str, facts: str) -> dict[str, Any]:
    told = read_json(facts)
    os.unlink(facts)
    os.unlink(job)
    return told
