"""Reports are read the same way whether the framework takes them or not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pydantic import TypeAdapter

from roost.api.strict_json import decode
from roost.models import ClaimRequest, FinishRequest, RunReport, TaskEnd, TaskReport


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"epoch": 1}', TaskReport),
        (b'{"epoch": 1, "later": true, "output": null, "steps": [{"current": 1}]}', TaskReport),
        (b'{"epoch": 1, "steps": [{"current": 0.5, "total": 2, "message": "a"}]}', RunReport),
        (
            b'{"epoch": 1, "journal": [{"name": "a", "state": "done", "value": {"b": [1, 2.0]}}]}',
            TaskReport,
        ),
        (
            b'{"epoch": 1, "emissions": [{"name": "c", "data": [null, "d"]}], "link": "https://e"}',
            TaskReport,
        ),
        (
            b'{"epoch": 1, "status": "failed", "error": {"code": "a", "sentence": "b"}}',
            TaskEnd,
        ),
        (
            b'{"epoch": 1, "status": "failed", "is_transient": true}',
            TaskEnd,
        ),
        (b'{"epoch": 1, "status": "succeeded", "result": [{"a": 1}]}', FinishRequest),
        (b'{"free": 3, "wait_s": 2}', ClaimRequest),
    ],
)
def test_both_ways_read_the_same(body: bytes, kind: Any) -> None:
    read = decode(body)
    short, long = msgspec.convert(read, kind), TypeAdapter(kind).validate_python(read)
    assert repr(short) == repr(long)
