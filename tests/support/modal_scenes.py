"""What the tests of the modals show: a bare host app, and a bundle with its forms and tools."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from textual.app import App
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, TextArea

from roost.models import (
    BundleKind,
    BundleView,
    ConfigField,
    CredentialField,
    CredentialForm,
    DoctorReport,
    FieldType,
    Finding,
    GenerationView,
    Impact,
    Runtime,
    Severity,
    SlotState,
    StartMode,
    ToolView,
)
from roost_tui.glyphs import UNICODE, Glyphs
from roost_tui.modals import CallToolModal, CredentialsModal

NOW = 1_750_000_000_000
SECRET = "hunter2-very-secret"


class FrozenClock:
    """A clock that stands still."""

    def now(self) -> int:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nobody sleeps here, not for {seconds} s")


class Host(App[Any]):
    """Shows one modal and keeps its answer and its messages."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        modal: ModalScreen[Any],
        theme_name: str = "textual-dark",
        glyphs: Glyphs = UNICODE,
    ) -> None:
        super().__init__()
        self.glyphs = glyphs
        self.modal = modal
        self.theme_name = theme_name
        self.answers: list[Any] = []
        self.heard: list[Message] = []

    def on_mount(self) -> None:
        self.theme = self.theme_name
        self.push_screen(self.modal, self.answers.append)

    def on_credentials_modal_save_requested(self, message: CredentialsModal.SaveRequested) -> None:
        self.heard.append(message)

    def on_credentials_modal_restore_requested(
        self, message: CredentialsModal.RestoreRequested
    ) -> None:
        self.heard.append(message)

    def on_call_tool_modal_call_requested(self, message: CallToolModal.CallRequested) -> None:
        self.heard.append(message)


def hold_cursors(app: App[Any]) -> None:
    """Stop every cursor from blinking, so that a picture is the same each time."""
    for field in app.screen.query(Input):
        field.cursor_blink = False
    for area in app.screen.query(TextArea):
        area.cursor_blink = False


GENERATION = GenerationView(
    id="g6",
    number=6,
    version="1.4.0",
    config_hash="c0ffee",
    credential_revision=4,
    start_mode=StartMode.COLD,
    spawned_at=NOW - 900_000,
)

BUNDLE = BundleView(
    workspace="acme",
    name="db-query",
    title="Database query",
    kind=BundleKind.MCP_STDIO,
    runtime=Runtime.PYTHON,
    version="1.4.0",
    state=SlotState.RUNNING,
    since=NOW - 900_000,
    should_run=True,
    generation=GENERATION,
    field_count=7,
    credential_revision=4,
)

IMPACT = Impact(run_ids=("r-1", "r-2"), is_known=True, protected=False, sentence="cuts 2 runs")

TOKEN = CredentialField(
    ConfigField(
        "api_token",
        FieldType.STRING,
        "API token",
        "Token of the service account",
        required=True,
        sensitive=True,
    ),
    is_set=True,
    revision=4,
    set_at=NOW - 180_000,
    set_by="ops",
)
ENDPOINT = CredentialField(
    ConfigField("endpoint", FieldType.STRING, "Endpoint", "Base URL of the service", required=True),
    is_set=True,
    value="https://db.internal.example",
    revision=2,
    set_at=NOW - 86_400_000 * 3,
    set_by="ana",
)
TIMEOUT = CredentialField(
    ConfigField(
        "timeout",
        FieldType.NUMBER,
        "Query timeout",
        "Seconds until a query is given up",
        default=30.0,
        minimum=1.0,
        maximum=600.0,
    ),
    is_set=False,
)
READ_ONLY = CredentialField(
    ConfigField("read_only", FieldType.BOOLEAN, "Read only", "Refuse writes", default=True),
    is_set=False,
)
ROOTS = CredentialField(
    ConfigField(
        "roots",
        FieldType.DIRECTORY,
        "Allowed directories",
        "Where exports may be written",
        multiple=True,
    ),
    is_set=True,
    value=["/srv/exports", "/srv/reports"],
    revision=4,
    set_at=NOW - 180_000,
    set_by="ops",
)
CERTIFICATE = CredentialField(
    ConfigField("certificate", FieldType.FILE, "CA certificate", ""), is_set=False
)
BACKUP_KEYS = CredentialField(
    ConfigField("backup_keys", FieldType.STRING, "Backup keys", sensitive=True, multiple=True),
    is_set=False,
)

FORM = CredentialForm(
    workspace="acme",
    bundle="db-query",
    revision=4,
    fields=(TOKEN, ENDPOINT, TIMEOUT, READ_ONLY, ROOTS, CERTIFICATE, BACKUP_KEYS),
    can_restore=True,
)


def credentials(
    form: CredentialForm = FORM,
    *,
    bundle: BundleView = BUNDLE,
    impact: Impact = IMPACT,
    needs_reason: bool = False,
) -> CredentialsModal:
    """Build the credential form at a fixed time."""
    return CredentialsModal(
        form, bundle=bundle, impact=impact, needs_reason=needs_reason, clock=FrozenClock()
    )


def starting(step: Any) -> BundleView:
    """Return the bundle in a start at this step."""
    return replace(BUNDLE, state=SlotState.STARTING, since=NOW, step=step)


SEARCH = ToolView(
    name="search_files",
    title="Search files",
    description="Find files whose content matches a pattern.\n\nBinary files are skipped.",
    is_read_only=True,
    input_schema={
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "description": "Regular expression", "minLength": 2},
            "paths": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Directories to look in",
                "minItems": 1,
            },
            "limit": {
                "type": "integer",
                "description": "Most matches to return",
                "default": 50,
                "minimum": 1,
                "maximum": 1000,
            },
            "mode": {"enum": ["content", "name", "both"], "default": "content"},
            "follow_links": {"type": "boolean", "default": False},
            "options": {
                "type": "object",
                "description": "Anything the engine of the search takes",
                "properties": {"depth": {"type": "integer"}},
            },
        },
        "required": ["pattern", "paths"],
        "additionalProperties": False,
    },
)
DELETE = ToolView(
    name="delete_file",
    description="Delete a file for good.",
    is_destructive=True,
    input_schema={
        "type": "object",
        "properties": {"path": {"type": "string", "description": "File to delete"}},
        "required": ["path"],
    },
)
PING = ToolView(name="ping", description="Answer at once.", is_read_only=True)

TOOLS = (SEARCH, DELETE, PING)


def call_tool(tools: tuple[ToolView, ...] = TOOLS) -> CallToolModal:
    """Build the form of a tool call."""
    return CallToolModal(BUNDLE, tools)


MENU = (
    ("bundle.respawn", "R", "respawn as a new generation"),
    ("bundle.stop", "s", "stop"),
    ("bundle.credentials", "c", "credentials"),
    ("bundle.call", "t", "call a tool"),
    ("bundle.remove", "D", "remove"),
)

WORKSPACES = (
    ("acme", "acme", "12 bundles, 2 down"),
    ("beta", "beta", "3 bundles"),
    ("personal", "personal", "empty"),
)

MESSAGES = (
    ("12:01:02", "information", "fetch was respawned as generation 2 in 412 ms"),
    ("12:02:40", "warning", "db-query is stale: its credentials were changed"),
    (
        "12:03:11",
        "error",
        "git could not be started: the handshake was not answered within 30 s; its log says why",
    ),
)
"""As they were said, the oldest first."""

FINDINGS = (
    Finding(
        "data_dir",
        Severity.PROBLEM,
        "/srv/roost is open to other users (mode 0755)",
        "close it with `chmod 700 /srv/roost`",
    ),
    Finding("filesystem", Severity.OK, "the data directory is on a local file system (ext4)"),
    Finding("permissions", Severity.OK, "keys, database, logs and socket are private"),
    Finding("lock", Severity.OK, "the daemon (pid 4100) holds it"),
    Finding("socket", Severity.OK, "/srv/roost/roost.sock is private and answers"),
    Finding("keyring", Severity.OK, "the key is in /srv/roost/keys/vault.key (0600)"),
    Finding("runtime_python", Severity.OK, "python 3.13.1 is /usr/bin/python3"),
    Finding(
        "runtime_uv",
        Severity.WARNING,
        "it is missing; venv and pip are used, which is slower and fetches no other Python",
        "install it with `curl -LsSf https://astral.sh/uv/install.sh | sh` or `brew install uv`",
    ),
    Finding(
        "runtime_node",
        Severity.PROBLEM,
        "node 14.21.3 is /usr/bin/node, and 18 is the oldest that starts an MCP server",
        "install a newer one, and restart the daemon so that it finds it",
    ),
    Finding("disk", Severity.OK, "79.2 GiB of 252.0 GiB are free"),
    Finding("limits", Severity.OK, "20000 open files, 96365 processes"),
    Finding("clock", Severity.OK, "it shows 2025-06-15 15:06:40 +0000"),
)
"""As the daemon tells them, in the order of its checks."""

REPORT = DoctorReport(FINDINGS, NOW)
ALL_WELL = DoctorReport(tuple(f for f in FINDINGS if f.severity is Severity.OK), NOW)

HELP = (
    (
        "Move",
        (
            ("up/down j k", "move"),
            ("ctrl+d ctrl+u", "half a page"),
            ("g G", "first, last"),
            ("tab", "next panel"),
            ("[ ]", "previous, next tab"),
        ),
    ),
    (
        "Bundle",
        (
            ("R", "respawn as a new generation"),
            ("S", "start"),
            ("s", "stop"),
            ("c", "credentials"),
            ("t", "call a tool"),
            ("D", "remove, name typed"),
        ),
    ),
    ("Runs", (("u", "runs of the selection"), ("s", "stop a run"))),
    (
        "Logs",
        (
            ("l p", "logs, those of the generation before"),
            ("f", "follow"),
            ("w", "wrap"),
            ("t", "stamps"),
        ),
    ),
    (
        "Everywhere",
        (
            (":", "command palette"),
            ("?", "help"),
            ("/", "filter"),
            ("q", "detach"),
            ("P", "pause refreshing"),
        ),
    ),
)
