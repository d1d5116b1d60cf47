"""A home and a project with configurations of all eight clients, as people have them."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from roost.bundles import BundleFolders
from roost.bundles.clients.found import Found, find_entries
from roost.bundles.clients.review import review
from roost.bundles.install_place import InstallPlace, describe_nothing
from roost.bundles.programs import Programs
from roost.models import Definition, ImportEntry, ImportPlan, ImportScan

SAMPLES = Path(__file__).parent / "clients"

SECRETS = (
    "ghp_DESKTOPdesktop0123456789abcdef",
    "CODE-db-pa55word",
    "CURSOR-notes-key-4711-abcdef",
    "CURSORlinear0123456789abcd",
    "figd_WINDSURF0123456789",
    "GEMINI-search-0123456789",
    "CODEX-docs-secret-0123456789",
    "ENVFILE-secret-0123456789",
)
"""Every secret that stands in a sample."""

PROGRAMS = ("npx", "uvx", "docker", "sh", "node", "python3")


class SampleClients:
    """Copies of the samples below a directory of a test."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.project = root / "project"
        shutil.copytree(SAMPLES / "home", self.home)
        shutil.copytree(SAMPLES / "project", self.project)
        notes = self.home / "bin" / "notes-server"
        notes.parent.mkdir()
        shutil.copy("/bin/true", notes)

    @property
    def environ(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": "/usr/bin:/bin"}

    def find(self, scan: ImportScan | None = None) -> Found:
        """Find what the samples hold."""
        scan = ImportScan(directories=(str(self.project),)) if scan is None else scan
        return find_entries(scan, self.environ)

    def plan(
        self,
        scan: ImportScan | None = None,
        installed: dict[str, Definition] | None = None,
    ) -> ImportPlan:
        """Review what the samples hold."""
        known = installed or {}
        return review(self.find(scan), known, self.place(*known))

    def place(self, *taken: str) -> InstallPlace:
        """Return where imports of a test would go."""
        return InstallPlace(
            "team",
            BundleFolders(self.home.parent / "bundles"),
            Programs(sys.executable, lambda name: "/bin/true" if name in PROGRAMS else None),
            set(taken),
            describe_nothing,
            str(self.home),
        )

    def state(self) -> dict[str, tuple[str, int]]:
        """Return what a write to any file of theirs would change."""
        files = [
            path for top in (self.home, self.project) for path in top.rglob("*") if path.is_file()
        ]
        return {
            str(path): (
                hashlib.sha256(path.read_bytes()).hexdigest(),
                path.stat().st_mtime_ns,
            )
            for path in files
        }


def entry_of(plan: ImportPlan, entry: str, client: str = "") -> ImportEntry:
    """Return the entry of this name, of this client where several have one."""
    return next(
        found
        for found in plan.entries
        if found.entry == entry and (not client or found.client == client)
    )
