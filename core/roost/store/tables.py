"""The tables of one data directory.

Times are epoch milliseconds in 64-bit integers, because SQLite hands naive datetimes back.
Definitions and payloads are JSON text. History (generations, transitions, runs, audit) outlives the
bundle it is about, so it refers to bundles by name only. The conditions of indexes are given for
SQLite: to name those of PostgreSQL loads its dialect, 3 MiB; the migrations hold both.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from roost.models import (
    RunEventKind,
    RunKind,
    RunStatus,
    RunTrigger,
    SlotState,
    StartMode,
    StartStep,
    StopPhase,
)
from roost.models.task import StepState

E = TypeVar("E", bound=StrEnum)


class Word(TypeDecorator[E], Generic[E]):
    """A word of an enumeration, as plain text in the database."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[E]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: E | None, dialect: Dialect) -> str | None:
        """Write the word itself: drivers disagree on how an enumeration is written."""
        return None if value is None else str(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], E | None]:
        """Return what reads a word: a look into a dict, a fifth of what the enumeration takes."""
        members: dict[str | None, E | None] = {str(word): word for word in self.words}
        members[None] = None
        return members.__getitem__


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
"""Every constraint has a name, so that a failed one can be told from another."""

SERIAL = BigInteger().with_variant(Integer(), "sqlite")
"""A number the database hands out; SQLite only does so for a plain INTEGER key."""

ACTIVE_RUN = text("scope IS NOT NULL AND status IN ('pending', 'running')")
KEYED_RUN = text("idempotency_key IS NOT NULL")
WAITING_RUN = text("task IS NOT NULL AND status = 'pending'")
CHILD_RUN = text("parent IS NOT NULL")

facts = Table(
    "facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

bundles = Table(
    "bundles",
    metadata,
    Column("workspace", Text, ForeignKey("workspaces.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("should_run", Boolean, nullable=False),
    Column("installed_at", BigInteger, nullable=False),
    Column("era", Text),
    Column("version_number", Integer, nullable=False),
    PrimaryKeyConstraint("workspace", "name"),
)

bundle_versions = Table(
    "bundle_versions",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("definition", Text, nullable=False),
    Column("installed_at", BigInteger, nullable=False),
    Column("installed_by", Text, nullable=False),
    PrimaryKeyConstraint("workspace", "bundle", "number"),
)

generations = Table(
    "generations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("config_hash", Text, nullable=False),
    Column("credential_revision", Integer, nullable=False),
    Column("start_mode", Word(StartMode), nullable=False),
    Column("spawned_at", BigInteger, nullable=False),
    Column("pid", Integer),
    Column("ready_at", BigInteger),
    Column("ready_ms", BigInteger),
    Column("ended_at", BigInteger),
    Column("exit", Text),
    Column("handle", Text, nullable=False),
    UniqueConstraint("workspace", "bundle", "number"),
)
LIVE_GENERATION = text("ended_at IS NULL")
Index(
    "ix_generations_live",
    generations.c.id,
    sqlite_where=LIVE_GENERATION,
)

transitions = Table(
    "transitions",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("before", Word(SlotState), nullable=False),
    Column("after", Word(SlotState), nullable=False),
    Column("cause", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("step", Word(StartStep)),
    Column("generation", Integer),
    Column("reason", Text),
    Index("ix_transitions_bundle", "workspace", "bundle", "id"),
)

credential_sets = Table(
    "credential_sets",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    PrimaryKeyConstraint("workspace", "bundle", "revision"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("in_set", Integer, nullable=False),
    Column("field", Text, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("set_at", BigInteger, nullable=False),
    Column("set_by", Text, nullable=False),
    PrimaryKeyConstraint("workspace", "bundle", "in_set", "field"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, ForeignKey("workspaces.id"), nullable=False),
    Column("kind", Word(RunKind), nullable=False),
    Column("status", Word(RunStatus), nullable=False),
    Column("title", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("bundle", Text),
    Column("tool", Text),
    Column("trigger", Word(RunTrigger), nullable=False),
    Column("scope", Text),
    Column("step_count", Integer, nullable=False),
    Column("progress_current", Float),
    Column("progress_total", Float),
    Column("progress_message", Text),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("last_progress_at", BigInteger),
    Column("stop_requested_at", BigInteger),
    Column("stop_requested_by", Text),
    Column("error_code", Text),
    Column("error_sentence", Text),
    Column("attempt", Integer, nullable=False),
    Column("generation", Integer),
    Column("created_by", Text, nullable=False),
    Column("on_behalf_of", Text),
    Column("idempotency_key", Text),
    Column("last_seq", Integer, nullable=False),
    Column("parent", Text),
    Column("link", Text),
    Column("stop_phase", Word(StopPhase)),
    Column("task", Text),
    Column("available_at", BigInteger),
    Column("waits", Text),
    Column("lease_owner", Text, nullable=False),
    Column("lease_epoch", Integer, nullable=False),
    Column("lease_until", BigInteger),
    Column("lease_ms", BigInteger),
    Column("input_hash", Text, nullable=False),
    Column("events_dropped", Integer, nullable=False),
    Index("ix_runs_age", "created_at", "id"),
    Index("ix_runs_workspace_age", "workspace", "created_at", "id"),
    Index("ix_runs_bundle_age", "workspace", "bundle", "created_at", "id"),
    Index("ix_runs_scope_age", "workspace", "scope", "created_at", "id"),
    Index("ix_runs_status_age", "status", "created_at", "id"),
    Index("ix_runs_parent", "parent", sqlite_where=CHILD_RUN),
    Index(
        "ix_runs_waiting",
        "workspace",
        "task",
        "created_at",
        sqlite_where=WAITING_RUN,
    ),
)

one_active_run = Index(
    "uq_runs_active_scope",
    runs.c.workspace,
    runs.c.scope,
    unique=True,
    sqlite_where=ACTIVE_RUN,
)
"""At most one active run per scope; a run without a scope occupies no slot."""

one_run_per_key = Index(
    "uq_runs_key",
    runs.c.workspace,
    runs.c.idempotency_key,
    unique=True,
    sqlite_where=KEYED_RUN,
)

run_payloads = Table(
    "run_payloads",
    metadata,
    # Apart from `runs`, because SQLite rewrites a whole row, payload included, at every step.
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("input", Text, nullable=False),
    Column("result", Text),
    Column("is_truncated", Boolean, nullable=False),
)

run_events = Table(
    "run_events",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", Word(RunEventKind), nullable=False),
    Column("message", Text, nullable=False),
    Column("current", Float),
    Column("total", Float),
    Column("name", Text),
    PrimaryKeyConstraint("run_id", "seq"),
)

run_journal = Table(
    "run_journal",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("place", Integer, nullable=False),
    Column("state", Word(StepState), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("value", Text),
    Column("was_interrupted", Boolean, nullable=False),
    PrimaryKeyConstraint("run_id", "name"),
)

run_attempts = Table(
    "run_attempts",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("bundle", Text),
    Column("generation", Integer),
    Column("error_code", Text),
    Column("error_sentence", Text),
    PrimaryKeyConstraint("run_id", "number"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("workspace", Text, ForeignKey("workspaces.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace", "name"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("workspace", Text, ForeignKey("workspaces.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("bundle", Text),
    Column("is_paused", Boolean, nullable=False),
    Column("next_at", BigInteger),
    Column("last_at", BigInteger),
    Column("last_run", Text),
    Column("failures", Integer, nullable=False),
    Column("disabled_code", Text),
    Column("disabled_sentence", Text),
    PrimaryKeyConstraint("workspace", "name"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("workspace", Text),
    Column("target", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("detail", Text, nullable=False),
)
