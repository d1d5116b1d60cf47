from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.snapshots.backend import EnvironmentRead, Hazard, TracedModule
from roost.snapshots.trace_file import LONGEST_LINE, read_trace


def lines(*entries: object) -> bytes:
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


MODULE = {"ev": "module", "name": "a.b", "file": "/x/a/b.py", "parent": "a"}
IMPORTS = {"ev": "imports", "by": "a", "names": ["a.b", "os"]}
HAZARD = {"ev": "hazard", "guard": "environ_copy", "module": "a", "what": "copied it"}
ENV = {"ev": "env", "module": "a", "name": "HOME"}


def test_everything_that_a_trace_says_is_read_in_its_order() -> None:
    first = {"ev": "module", "name": "sys", "file": None, "parent": None}
    trace = read_trace(lines(first, MODULE, IMPORTS, HAZARD, ENV))
    assert trace.modules == (TracedModule("sys", None), TracedModule("a.b", "/x/a/b.py", "a"))
    assert trace.imports == (("a", "a.b"), ("a", "os"))
    assert trace.hazards == (Hazard("environ_copy", "a", "copied it"),)
    assert trace.environment == (EnvironmentRead("a", "HOME"),)


def test_a_trace_that_ends_in_the_middle_of_a_line_is_read_up_to_there() -> None:
    content = lines(MODULE, HAZARD)
    assert read_trace(content[:-10]).modules == (TracedModule("a.b", "/x/a/b.py", "a"),)
    assert read_trace(content[:-10]).hazards == ()


def test_what_is_told_twice_is_one_thing() -> None:
    again = {**MODULE, "file": "/elsewhere.py"}
    trace = read_trace(lines(MODULE, again, IMPORTS, IMPORTS, HAZARD, HAZARD, ENV, ENV))
    assert [len(part) for part in (trace.modules, trace.imports, trace.hazards)] == [1, 2, 1]
    assert trace.modules[0].file == "/x/a/b.py"
    assert len(trace.environment) == 1


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        "module",
        {},
        {"ev": "unheard of"},
        {"ev": ["module"]},
        {**MODULE, "name": None},
        {**MODULE, "name": ""},
        {**MODULE, "name": "a b"},
        {**MODULE, "name": "../x"},
        {**MODULE, "name": "a\nb"},
        {**MODULE, "name": "a" * 501},
        {**MODULE, "file": 5},
        {**MODULE, "file": "/x\x1b[2J"},
        {**MODULE, "parent": {}},
        {**IMPORTS, "names": "os"},
        {**IMPORTS, "names": [None]},
        {**HAZARD, "guard": "unknown"},
        {**HAZARD, "guard": []},
        {**HAZARD, "what": "x" * 501},
        {**HAZARD, "what": "two\nlines"},
        {**ENV, "name": 1},
        {**ENV, "module": None},
    ],
)
def test_a_line_that_no_trace_writes_is_left_out(entry: object) -> None:
    trace = read_trace(lines(entry, {"ev": "module", "name": "kept", "file": None, "parent": None}))
    assert [module.name for module in trace.modules] == ["kept"]
    assert (trace.imports, trace.hazards, trace.environment) == ((), (), ())


def test_lines_that_are_no_json_or_too_deep_or_too_long_are_left_out() -> None:
    long = b'{"ev": "module", "name": "' + b"a" * LONGEST_LINE + b'"}\n'
    deep = b"[" * 100_000 + b"\n"
    content = b"\xff\xfe\n{\n\n" + deep + long + lines(MODULE)
    assert [module.name for module in read_trace(content).modules] == ["a.b"]


@given(st.binary(max_size=2000))
def test_no_content_breaks_the_reader(content: bytes) -> None:
    read_trace(content + b"\n" + lines(MODULE))


def test_a_file_of_a_million_lines_is_read_in_bounded_time() -> None:
    began = time.monotonic()
    read_trace(b"{}\n" * 1_000_000)
    assert time.monotonic() - began < 30
