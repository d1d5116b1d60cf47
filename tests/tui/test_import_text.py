"""What an import says, apart from how it is drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.package_scenes import (
    BROKEN,
    DATABASE,
    ENTRIES,
    FETCH,
    FILES,
    GITHUB,
    MEMORY,
    SEARCH,
    SLEEPER,
    TWIN,
)

from roost.models import ImportEntry, ImportOutcome, ImportPlan, ImportResult
from roost_tui import import_text
from roost_tui.modals.import_pages import Draft
from roost_tui.spans import Tone

KNOWN = {entry.id: entry for entry in ENTRIES}


@pytest.mark.parametrize("entry", [TWIN, FETCH, SLEEPER, BROKEN], ids=lambda entry: entry.entry)
def test_what_is_there_already_disabled_or_broken_is_not_marked(entry: ImportEntry) -> None:
    assert not import_text.is_marked_first(entry)


@pytest.mark.parametrize("entry", [MEMORY, GITHUB, SEARCH, DATABASE], ids=lambda entry: entry.name)
def test_everything_else_is_marked(entry: ImportEntry) -> None:
    assert import_text.is_marked_first(entry)


def test_entries_are_grouped_by_client_and_project() -> None:
    titles = [group.title for group in import_text.groups(ENTRIES)]
    assert titles == ["Claude Desktop", "VS Code, project /home/ops/code/shop", "Cursor"]


def test_a_row_says_what_matters_most_first() -> None:
    words = [words for words, _ in import_text.remarks(DATABASE)]
    assert words == ["secret in command", "from repository", "unpinned", "1 secret to vault"]


def test_remarks_that_do_not_fit_are_told_to_be_missing() -> None:
    drawn = "".join(words for words, _ in import_text.remark_text(DATABASE, 22, "…"))
    assert drawn == "secret in command …"


def test_the_first_remark_is_always_told() -> None:
    drawn = "".join(words for words, _ in import_text.remark_text(DATABASE, 10, "…"))
    assert drawn == "secret in…"


def test_the_detail_names_the_twin_of_a_duplicate() -> None:
    texts = [fact.text for fact in import_text.entry_facts(TWIN, KNOWN)]
    assert "starts the same as memory of Claude Desktop" in texts


def test_the_detail_says_why_an_entry_cannot_be_imported_first() -> None:
    first = import_text.entry_facts(BROKEN, KNOWN)[0]
    assert (first.text, first.tone) == (BROKEN.problem, Tone.FAULT)


def test_control_characters_of_a_configuration_never_reach_the_screen() -> None:
    hostile = replace(MEMORY, argv=("sh", "-c", "\x1b]0;x\x07echo"), path="/a\x1b[2J")
    facts = import_text.entry_facts(hostile, KNOWN)
    assert "\x1b" not in import_text.what_runs(hostile)
    assert not any("\x1b" in fact.text for fact in facts)


def test_the_files_are_counted_in_one_sentence() -> None:
    said = import_text.files_sentence(ImportPlan(FILES, ENTRIES))
    assert said == "8 servers in 4 configurations. Nothing was written or run."


def test_a_file_that_cannot_be_read_says_why() -> None:
    assert import_text.file_line(FILES[-1]) == (FILES[-1].problem, Tone.FAULT)


def test_the_confirmation_says_that_nothing_starts() -> None:
    said = import_text.adding_sentence((MEMORY, GITHUB), "acme", starts=False)
    assert said.startswith("2 bundles will be added to acme, and nothing is started.")
    said = import_text.adding_sentence((MEMORY,), "acme", starts=True)
    assert said.startswith("1 bundle will be added to acme, and started.")


def test_secrets_are_counted_where_there_are_any() -> None:
    assert import_text.vault_sentence((GITHUB, DATABASE)) == "2 secrets go to the vault."
    assert import_text.vault_sentence((GITHUB,)) == "1 secret goes to the vault."
    assert import_text.vault_sentence((MEMORY,)) == ""


def test_an_outcome_counts_what_failed() -> None:
    good, bad = ImportResult("a", True, "fine", "a"), ImportResult("b", False, "no")
    assert import_text.outcome_sentence(ImportOutcome((good,))) == ("1 bundle added.", Tone.OK)
    both = import_text.outcome_sentence(ImportOutcome((good, bad)))
    assert both == ("1 bundle added, 1 not.", Tone.WARN)
    assert import_text.outcome_sentence(ImportOutcome((bad,)))[1] is Tone.FAULT


def test_a_draft_chooses_only_what_is_marked_and_never_shows_its_answers() -> None:
    draft = Draft.of("acme", ImportPlan(FILES, ENTRIES))
    draft.answers[SEARCH.id] = {"search_key": "hunter2"}
    draft.marked.discard(MEMORY.id)
    choices = {choice.id: choice for choice in draft.choices()}
    assert set(choices) == {GITHUB.id, SEARCH.id, DATABASE.id}
    assert choices[SEARCH.id].answers == {"search_key": "hunter2"}
    assert "hunter2" not in repr(draft) + repr(draft.choices())
    draft.forget_answers()
    assert draft.choices()[1].answers == {}


@pytest.mark.parametrize("room", [30, 60, 100, 180])
def test_the_columns_fill_a_row_exactly(room: int) -> None:
    widths = import_text.widths(ENTRIES, room)
    assert widths.name + widths.runs + widths.remarks + 4 == max(room, widths.name + 24)
    assert min(widths.name, widths.runs, widths.remarks) > 0
