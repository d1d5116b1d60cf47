"""A run in words: its events, what it came to and its result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from roost.cli.exit_codes import ACTION_FAILED, OK, UNAVAILABLE
from roost.cli.words import clock_time

_SAID = {
    "pending": (UNAVAILABLE, "has not begun, and the daemon ended the stream"),
    "running": (UNAVAILABLE, "goes on, but the daemon ended the stream"),
    "succeeded": (OK, "succeeded"),
    "failed": (ACTION_FAILED, "failed"),
    "aborted": (ACTION_FAILED, "was aborted"),
}


def event_line(event: Mapping[str, Any]) -> str:
    """Return one event of a run as a line."""
    return f"{clock_time(event['at'])} {event['kind']:<6} {counted(event)}"


def counted(event: Mapping[str, Any]) -> str:
    """Return the message of an event, behind its figures or its own name where it has some."""
    if event["kind"] == "emit":
        return f"{event['name']} {event['message']}"
    if event["current"] is None or event["kind"] != "step":
        return str(event["message"])
    total = event["total"]
    count = f"{event['current']:g}" + (f"/{total:g}" if total is not None else "")
    return f"{count} {event['message']}"


def outcome_code(run: Mapping[str, Any]) -> int:
    """Return the exit code for how a followed run ended."""
    return _SAID.get(run["status"], (ACTION_FAILED, ""))[0]


def outcome_sentence(run: Mapping[str, Any]) -> str:
    """Return how a followed run ended, in one sentence."""
    said = _SAID.get(run["status"], (0, run["status"]))[1]
    why = f": {run['error']['sentence']}" if run["error"] else ""
    return f"run {run['id']} {said}{why}"


def result_text(result: Any) -> str:
    """Return a result for people: the text of a tool's answer, anything else as JSON."""
    blocks = result.get("content") if isinstance(result, dict) else None
    if isinstance(blocks, list) and blocks:
        return "\n".join(_block_text(block) for block in blocks)
    if isinstance(result, dict) and result.get("structuredContent") is not None:
        result = result["structuredContent"]
    return result if isinstance(result, str) else as_json(result)


def as_json(value: Any) -> str:
    """Return a value as JSON for people."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def _block_text(block: Any) -> str:
    if not isinstance(block, dict):
        return as_json(block)
    if isinstance(block.get("text"), str):
        return str(block["text"])
    if isinstance(block.get("data"), str):
        return f"[{block.get('type', 'data')} {block.get('mimeType', '')}: --json shows it]"
    return as_json(block)
