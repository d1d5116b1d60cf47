"""A bundle on disk from which a snapshot's key is made, and the records that hold one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roost.models import Launch, Reason
from roost.models.snapshot import GuardAction, GuardFinding, SnapshotBackend, SnapshotPhase
from roost.snapshots.cold_start import ColdStart
from roost.snapshots.entry import Entry, EntryKind
from roost.snapshots.interpreter import Interpreter
from roost.snapshots.key import Key, KeyFacts, key_change, make_key
from roost.snapshots.record import Made

DIGEST_KEY = b"k" * 32

ENV = {"PATH": "/bin", "LANG": "C.UTF-8", "LOG_LEVEL": "quiet-level", "TOKEN": "s3cret-value"}


@dataclass(frozen=True)
class BundleOnDisk:
    """An interpreter, a library, a package and a script, none of which is ever run."""

    root: Path

    @property
    def script(self) -> Path:
        return self.root / "app" / "server.py"

    @property
    def package(self) -> Path:
        return self.root / "lib" / "site-packages" / "fetch" / "__init__.py"

    @property
    def record(self) -> Path:
        return self.root / "lib" / "site-packages" / "fetch-1.2.dist-info" / "RECORD"

    @property
    def python(self) -> Path:
        return self.root / "bin" / "python"

    @property
    def entry(self) -> Entry:
        return Entry(
            EntryKind.SCRIPT, str(self.script), str(self.python), (), str(self.script.parent), 1
        )

    @property
    def interpreter(self) -> Interpreter:
        library = str(self.root / "lib")
        paths = (library, str(self.package.parent.parent))
        return Interpreter("3.11.7 (main)", (3, 11), paths, library, str(self.root))

    def make(self) -> BundleOnDisk:
        for path, text in (
            (self.python, "#!"),
            (self.root / "pyvenv.cfg", "home = /usr"),
            (self.root / "lib" / "json.py", ""),
            (self.package, "x = 1\n"),
            (self.record, "fetch/__init__.py,sha256=abc,6\n"),
            (self.root / "lib" / "site-packages" / "other-1.dist-info" / "RECORD", "other.py,,\n"),
            (self.root / "lib" / "site-packages" / "a.pth", "/x\n"),
            (self.script, "import fetch\n"),
            (self.script.parent / "uv.lock", "version = 1\n"),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self

    def start(self, env: Mapping[str, str] = ENV, version: str = "1.0") -> ColdStart:
        argv = (str(self.python), str(self.script))
        launch = Launch(argv, dict(env), str(self.script.parent), env_names=())
        return ColdStart("default", "time", version, launch, frozenset({"TOKEN"}))

    def key(
        self,
        *,
        files: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
        allowed: tuple[str, ...] = (),
        copied_by: tuple[str, ...] = (),
    ) -> Key:
        default = (str(self.script), str(self.package), str(self.root / "lib" / "json.py"))
        facts = KeyFacts(
            entry=self.entry,
            interpreter=self.interpreter,
            cwd=str(self.script.parent),
            env=ENV,
            credentials=frozenset({"TOKEN"}),
            modules=("json", "fetch.tools"),
            files=files or default,
            reads=("LOG_LEVEL", "UNSET", "TOKEN"),
            exclude=exclude,
            allowed=allowed,
            copied_by=copied_by,
        )
        return make_key(facts, DIGEST_KEY)

    def change(
        self,
        key: Key,
        *,
        entry: Entry | None = None,
        env: Mapping[str, str] = ENV,
        credentials: frozenset[str] = frozenset({"TOKEN"}),
        allowed: tuple[str, ...] = (),
    ) -> Reason | None:
        return key_change(key, entry or self.entry, env, credentials, DIGEST_KEY, allowed)

    def made(self, version: str = "1.0") -> Made:
        return Made(
            backend=SnapshotBackend.ZYGOTE,
            version=version,
            key=self.key(exclude=("git",)),
            modules=("json", "fetch"),
            loaded=2,
            built_at=1_700_000_000_000,
            build_ms=700,
            phases_ms=((SnapshotPhase.TRACE, 400), (SnapshotPhase.TEMPLATE, 300)),
            findings=(
                GuardFinding("environ_copy", GuardAction.EXCLUDE, "`git` copied it", "git", ("a",)),
            ),
            template_bytes=50_000_000,
            answers=(("tools", "0" * 64),),
        )
