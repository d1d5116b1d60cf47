"""A reviewed install, versions, the vault and the first run, as text."""

from __future__ import annotations

from dataclasses import replace

from tests.support.fake_engine import FIXED_START, bundle_view, definition_of
from tests.support.package_scenes import UNPINNED

from roost.models import (
    BundleDetail,
    BundleKind,
    InstalledVersion,
    InstallPlan,
    KeyPlace,
    PlanNote,
    Runtime,
    VaultView,
)
from roost_tui import bundle_text, first_run_text, render, version_text
from roost_tui.plan_text import Fact, needs_consent, plan_facts, warnings_of
from roost_tui.spans import Spans, Tone, plain, width_of

VIEW = bundle_view("api")
PLAN = InstallPlan(
    name="api",
    definition=definition_of(VIEW),
    argv=("python3", "-m", "api", "--token", "${user_config.token}"),
    directories=("/srv/roost/api",),
    env_names=("API_TOKEN",),
    given_fields=("token",),
    missing_fields=("region",),
    sha256="5f" * 32,
    signed_by="CN=Nobody",
)


def _by_label(plan: InstallPlan) -> dict[str, Fact]:
    return {fact.label: fact for fact in plan_facts(plan)}


def test_a_review_begins_with_what_runs() -> None:
    first = plan_facts(PLAN)[0]
    assert first == Fact("runs", "python3 -m api --token '${user_config.token}'", Tone.STRONG)


def test_a_review_names_directories_variables_and_fields() -> None:
    facts = _by_label(PLAN)
    assert facts["lies in"].text == "/srv/roost/api"
    assert facts["environment"].text == "API_TOKEN"
    assert facts["credentials"].text == "token; kept in the vault"
    assert facts["still needs"].text == "region; the form opens next"


def test_a_signature_is_said_to_prove_nothing() -> None:
    fact = _by_label(PLAN)["signed by"]
    assert "proves nothing" in fact.text and fact.tone is Tone.WARN


def test_a_server_that_runs_elsewhere_runs_nothing_here() -> None:
    definition = replace(
        PLAN.definition,
        kind=BundleKind.MCP_HTTP,
        command="",
        url="https://mcp.example.com/mcp",
        headers={"Authorization": "Bearer ${user_config.token}"},
    )
    facts = _by_label(replace(PLAN, definition=definition, argv=()))
    assert facts["runs"].text == "nothing here: the server runs elsewhere"
    assert facts["answers at"].text == "https://mcp.example.com/mcp"
    assert facts["headers"].text == "Authorization"
    assert facts["kind"].text == "mcp-http, version 1.0.0"


def test_warnings_come_before_notes() -> None:
    notes = (PlanNote("other", "all is well", is_warning=False), UNPINNED)
    assert [fact.label for fact in warnings_of(notes)] == ["warning", "note"]


def test_a_secret_in_the_command_line_has_to_be_allowed() -> None:
    assert not needs_consent(PLAN)
    assert needs_consent(replace(PLAN, notes=(PlanNote("secret_argument", "it shows"),)))


def test_control_characters_of_a_plan_are_harmless() -> None:
    facts = plan_facts(replace(PLAN, argv=("x\x1b[2J",), directories=("/a\x1b",)))
    assert not any("\x1b" in fact.text for fact in facts)


# Versions and the vault

VERSION = InstalledVersion(2, "", "npm", None, "c0ffee", FIXED_START, "ops", True, 412)


def test_a_version_without_a_name_is_a_dash() -> None:
    assert version_text.choice_of(VERSION)[1] == "2  -"
    assert "  2  -  " in plain(version_text.version_lines([VERSION], 120)[1])


def test_the_heading_of_the_versions_stands_above_its_columns() -> None:
    heading, row = (plain(line) for line in version_text.version_lines([VERSION], 120))
    assert heading.index("CONFIG") == row.index("c0ffee")
    assert heading.index("SOURCE") == row.index("npm")
    assert heading.index("BY") == row.index("ops")


def test_a_narrow_table_of_versions_fits() -> None:
    lines = version_text.version_lines([VERSION], 80)
    assert all(width_of(line) <= 80 for line in lines)
    assert version_text.version_lines([], 80) == []


def test_the_vault_says_where_its_key_is_and_what_a_former_one_still_opens() -> None:
    view = VaultView(KeyPlace.GIVEN_FILE, "/etc/roost.key", "k3", 1200, 2)
    facts = {fact.label: fact.text for fact in version_text.vault_facts(view)}
    assert facts["key"] == "k3, kept in: given file"
    assert facts["values"].replace("\N{NARROW NO-BREAK SPACE}", "")
    assert facts["warning"].startswith("2 of them still need a former key")
    assert facts["rotated"] == "never"


# Bundles as they are


def _lines(definition_changes: dict[str, object], argv: tuple[str, ...]) -> str:
    definition = replace(definition_of(VIEW), **definition_changes)  # type: ignore[arg-type]
    detail = BundleDetail(VIEW, definition, argv, (), (), ())
    return "\n".join(plain(line) for line in bundle_text.definition_lines(detail, 100))


def test_an_empty_version_is_a_dash() -> None:
    text = plain(bundle_text.kind_lines(replace(VIEW, version=""))[0])
    assert "version -" in text


def test_a_remote_server_has_its_address_in_the_detail_and_no_command() -> None:
    text = _lines({"url": "https://mcp.example.com/mcp", "command": ""}, ())
    assert "none: the server runs elsewhere" in text
    assert "https://mcp.example.com/mcp" in text


def test_a_secret_in_the_command_line_is_marked_in_the_detail() -> None:
    assert "a secret stands in its command line" in _lines({"secret_arguments": True}, ("x",))
    assert "a secret stands" not in _lines({}, ("x",))


def test_a_server_that_runs_elsewhere_has_no_runtime() -> None:
    remote = replace(VIEW, kind=BundleKind.MCP_HTTP, runtime=Runtime.ELSEWHERE)
    assert render.kind_text(remote) == "mcp http"
    assert render.kind_text(replace(VIEW, kind=BundleKind.MCP_HTTP)) == "mcp http py"


# The first run

KEYS = {"bundle.import": "i", "bundle.add": "a", "screen.help": "?", "screen.detach": "q"}


def _first_run(found: int | None, *, is_looking: bool = False, keys: dict[str, str] = KEYS) -> str:
    lines: list[Spans] = first_run_text.lines(
        keys, found, is_looking=is_looking, width=80, height=22
    )
    assert all(width_of(line) <= 80 for line in lines) and len(lines) <= 22
    return "\n".join(plain(line) for line in lines)


def test_the_first_run_says_how_many_servers_were_found() -> None:
    assert "12 found on this machine" in _first_run(12)
    assert "none was found" in _first_run(0)
    assert "looking for them" in _first_run(None, is_looking=True)
    assert "could not be found out" in _first_run(None)


def test_a_screen_that_only_reads_offers_nothing_that_changes_something() -> None:
    text = _first_run(3, keys={"screen.detach": "q"})
    assert "import" not in text and "package" not in text
    assert "roost demo" in text
