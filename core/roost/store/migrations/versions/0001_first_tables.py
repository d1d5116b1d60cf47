"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LIVE_GENERATION = sa.text("ended_at IS NULL")
ACTIVE_RUN = sa.text("scope IS NOT NULL AND status IN ('pending', 'running')")
KEYED_RUN = sa.text("idempotency_key IS NOT NULL")
CHILD_RUN = sa.text("parent IS NOT NULL")
WAITING_RUN = sa.text("task IS NOT NULL AND status = 'pending'")


def upgrade() -> None:
    _create_bundle_tables()
    _create_credential_tables()
    _create_run_tables()
    _create_task_tables()
    _create_audit_table()


def _create_bundle_tables() -> None:
    op.create_table(
        "facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
    )
    op.create_table(
        "workspaces",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
    )
    op.create_table(
        "bundles",
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("should_run", sa.Boolean(), nullable=False),
        sa.Column("installed_at", sa.BigInteger(), nullable=False),
        sa.Column("era", sa.Text()),
        sa.Column("version_number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name="fk_bundles_workspace"),
        sa.PrimaryKeyConstraint("workspace", "name", name="pk_bundles"),
    )
    op.create_table(
        "bundle_versions",
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("installed_at", sa.BigInteger(), nullable=False),
        sa.Column("installed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "bundle", "number", name="pk_bundle_versions"),
    )
    op.create_table(
        "generations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("config_hash", sa.Text(), nullable=False),
        sa.Column("credential_revision", sa.Integer(), nullable=False),
        sa.Column("start_mode", sa.Text(), nullable=False),
        sa.Column("spawned_at", sa.BigInteger(), nullable=False),
        sa.Column("pid", sa.Integer()),
        sa.Column("ready_at", sa.BigInteger()),
        sa.Column("ready_ms", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("exit", sa.Text()),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_generations"),
        sa.UniqueConstraint(
            "workspace", "bundle", "number", name="uq_generations_workspace_bundle_number"
        ),
    )
    op.create_index(
        "ix_generations_live",
        "generations",
        ["id"],
        sqlite_where=LIVE_GENERATION,
        postgresql_where=LIVE_GENERATION,
    )
    op.create_table(
        "transitions",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("step", sa.Text()),
        sa.Column("generation", sa.Integer()),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_transitions"),
    )
    op.create_index("ix_transitions_bundle", "transitions", ["workspace", "bundle", "id"])


def _create_credential_tables() -> None:
    op.create_table(
        "credential_sets",
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "bundle", "revision", name="pk_credential_sets"),
    )
    op.create_table(
        "credentials",
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("in_set", sa.Integer(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "bundle", "in_set", "field", name="pk_credentials"),
    )


def _create_run_tables() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("bundle", sa.Text()),
        sa.Column("tool", sa.Text()),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text()),
        sa.Column("step_count", sa.Integer(), nullable=False),
        sa.Column("progress_current", sa.Float()),
        sa.Column("progress_total", sa.Float()),
        sa.Column("progress_message", sa.Text()),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("last_progress_at", sa.BigInteger()),
        sa.Column("stop_requested_at", sa.BigInteger()),
        sa.Column("stop_requested_by", sa.Text()),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_sentence", sa.Text()),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer()),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("on_behalf_of", sa.Text()),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Text()),
        sa.Column("link", sa.Text()),
        sa.Column("stop_phase", sa.Text()),
        sa.Column("task", sa.Text()),
        sa.Column("available_at", sa.BigInteger()),
        sa.Column("waits", sa.Text()),
        sa.Column("lease_owner", sa.Text(), nullable=False),
        sa.Column("lease_epoch", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("lease_ms", sa.BigInteger()),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("events_dropped", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name="fk_runs_workspace"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_age", "runs", ["created_at", "id"])
    op.create_index("ix_runs_bundle_age", "runs", ["workspace", "bundle", "created_at", "id"])
    op.create_index(
        "ix_runs_parent",
        "runs",
        ["parent"],
        sqlite_where=CHILD_RUN,
        postgresql_where=CHILD_RUN,
    )
    op.create_index("ix_runs_scope_age", "runs", ["workspace", "scope", "created_at", "id"])
    op.create_index("ix_runs_status_age", "runs", ["status", "created_at", "id"])
    op.create_index(
        "ix_runs_waiting",
        "runs",
        ["workspace", "task", "created_at"],
        sqlite_where=WAITING_RUN,
        postgresql_where=WAITING_RUN,
    )
    op.create_index("ix_runs_workspace_age", "runs", ["workspace", "created_at", "id"])
    op.create_index(
        "uq_runs_active_scope",
        "runs",
        ["workspace", "scope"],
        unique=True,
        sqlite_where=ACTIVE_RUN,
        postgresql_where=ACTIVE_RUN,
    )
    op.create_index(
        "uq_runs_key",
        "runs",
        ["workspace", "idempotency_key"],
        unique=True,
        sqlite_where=KEYED_RUN,
        postgresql_where=KEYED_RUN,
    )
    op.create_table(
        "run_payloads",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("result", sa.Text()),
        sa.Column("is_truncated", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_run_payloads_run_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name="pk_run_payloads"),
    )
    op.create_table(
        "run_events",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("current", sa.Float()),
        sa.Column("total", sa.Float()),
        sa.Column("name", sa.Text()),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_run_events_run_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "seq", name="pk_run_events"),
    )


def _create_task_tables() -> None:
    op.create_table(
        "run_journal",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("value", sa.Text()),
        sa.Column("was_interrupted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_run_journal_run_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "name", name="pk_run_journal"),
    )
    op.create_table(
        "run_attempts",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("bundle", sa.Text()),
        sa.Column("generation", sa.Integer()),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_sentence", sa.Text()),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_run_attempts_run_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "number", name="pk_run_attempts"),
    )
    op.create_table(
        "tasks",
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name="fk_tasks_workspace"),
        sa.PrimaryKeyConstraint("workspace", "name", name="pk_tasks"),
    )
    op.create_table(
        "schedules",
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text()),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("next_at", sa.BigInteger()),
        sa.Column("last_at", sa.BigInteger()),
        sa.Column("last_run", sa.Text()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("disabled_code", sa.Text()),
        sa.Column("disabled_sentence", sa.Text()),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name="fk_schedules_workspace"),
        sa.PrimaryKeyConstraint("workspace", "name", name="pk_schedules"),
    )


def _create_audit_table() -> None:
    op.create_table(
        "audit",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("workspace", sa.Text()),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
