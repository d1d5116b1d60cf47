"""What a credential form says: what is stored, what saving would do, what it would cut."""

from __future__ import annotations

from roost.client.amounts import plural
from roost.models import BundleView, ConfigField, CredentialField, FieldType, FieldValue, Impact
from roost_tui.modals.credential_values import Change, Draft, change_of
from roost_tui.modals.wording import ago, number_text, value_text

_PATH_STARTS = ("/", "~", "${")


def warning_of(entry: CredentialField, draft: Draft) -> str | None:
    """Return what the operator should know of a draft that can be saved, or None."""
    change = change_of(entry, draft)
    field = entry.field
    if change is Change.CLEAR:
        return _clear_warning(field)
    is_path = field.type in (FieldType.FILE, FieldType.DIRECTORY)
    if change is Change.SET and is_path:
        return _path_warning(draft.text)
    if change is Change.KEEP and field.required and not entry.is_set and field.default is None:
        return "required; the bundle does not start without it"
    return None


def _clear_warning(field: ConfigField) -> str:
    if field.default is not None:
        shown = "" if field.sensitive else f" {_shown(field.default)}"
        return f"saving clears it; the default{shown} applies"
    if field.required:
        return "saving clears it; the bundle does not start without it"
    return "saving clears it"


def _path_warning(text: str) -> str | None:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if all(line.startswith(_PATH_STARTS) for line in lines):
        return None
    return "not an absolute path; the bundle would look from its own directory"


def _shown(value: FieldValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value_text(value).replace("\n", ", ")


def status_of(entry: CredentialField, draft: Draft, now_ms: int) -> str:
    """Say what is stored for a field, since when, and what an untouched field means.

    Args:
        entry: The field with what is stored for it.
        draft: What stands in the form.
        now_ms: The present in epoch milliseconds.
    """
    change = change_of(entry, draft)
    if not entry.is_set:
        return _new_status(draft) if change is Change.SET else _unset_status(entry.field)
    stored = _stored(entry, now_ms)
    if change is Change.SET:
        return f"replaces the value {stored}{_line_count(draft.text)}"
    if entry.field.sensitive and change is Change.KEEP:
        return f"{stored} - leave empty to keep"
    return stored


def _unset_status(field: ConfigField) -> str:
    if field.default is not None and field.sensitive:
        return "not set; a default applies"
    if field.default is not None:
        return f"not set; default {_shown(field.default)}"
    return "not set"


def _new_status(draft: Draft) -> str:
    return f"a new value{_line_count(draft.text)}"


def _line_count(text: str) -> str:
    lines = len(text.splitlines())
    return f" - {plural(lines, 'line')}" if lines > 1 else ""


def _stored(entry: CredentialField, now_ms: int) -> str:
    words = ["set"]
    if entry.set_at is not None:
        words.append(ago(entry.set_at, now_ms))
    if entry.set_by:
        words.append(f"by {entry.set_by}")
    text = " ".join(words)
    return f"{text}, revision {entry.revision}" if entry.revision is not None else text


def hint_of(field: ConfigField) -> str:
    """Say what a field is for and what it takes."""
    bounds = bounds_of(field)
    if not field.description or not bounds:
        return field.description or bounds
    return f"{field.description.rstrip('.')}; {bounds}"


def bounds_of(field: ConfigField) -> str:
    """Say what a field takes beyond its label: type, bounds, several lines."""
    low, high = field.minimum, field.maximum
    parts = []
    if field.type is FieldType.NUMBER:
        parts.append(_number_bounds(low, high))
    if field.type in (FieldType.FILE, FieldType.DIRECTORY):
        parts.append(f"path of a {field.type}")
    if field.multiple:
        parts.append("one per line")
    return ", ".join(parts)


def _number_bounds(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"number from {number_text(low)} to {number_text(high)}"
    if low is not None:
        return f"number, at least {number_text(low)}"
    if high is not None:
        return f"number, at most {number_text(high)}"
    return "number"


def saving_sentence(bundle: BundleView, impact: Impact) -> str:
    """Say what saving does to the bundle and what it cuts."""
    if impact.protected:
        return (
            f"{bundle.name} is protected: a change waits for its next respawn, clearing a "
            "sensitive field ends it."
        )
    if not bundle.should_run:
        return f"{bundle.name} is meant to be stopped: saving starts nothing."
    if impact.sentence:
        return f"Saving respawns {bundle.name}: {impact.sentence.rstrip('.')}."
    if not impact.is_known:
        return f"Saving respawns {bundle.name}; what is in flight cannot be seen."
    return f"Saving respawns {bundle.name}; nothing is in flight."
