"""What is answered without the framework is answered just as the framework answers it.

The same request goes to the application and to the framework alone. The answers have to be equal in
status, headers and body, and the engine has to hear the same. The tables are made from the declared
operations, so that a new one is covered by being declared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from types import NoneType
from typing import Any, get_args
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.two_ways import (
    JSON,
    OPERATIONS,
    Ask,
    HeaderList,
    TwoWays,
    ask_for,
    changed,
    path_of,
    places,
    sample,
    shared_two_ways,
    taken,
)

from roost.api.declared import Operation

PATH_PARTS = (
    *(
        "",
        "x",
        " ",
        "a b",
        "a+b",
        "a/b",
        "%2F",
        "..",
        ".",
        "é",
        "\U0001f600",
        "a\n",
        "\n",
        "a\x00b",
    ),
    *("{name}", "a?b", "a#b", "a\\b", "\ufffd", "\u2028", "null", "x" * 5000),
)

NUMBERS = (
    *("", "0", "00", "01", "-0", "+1", "1", " 1", "1 ", "1.0", "1.5", "1e3", "-1", "100", "10000"),
    *(
        "10001",
        "1_000",
        "0x1",
        "\uff19",
        "²",
        "nan",
        "inf",
        "1,2",
        "1\n",
        "9" * 17,
        "9" * 18,
        "9" * 19,
    ),
    *(
        "9" * 5000,
        "-" + "9" * 18,
        *(str(2**bits + more) for bits in (31, 53, 63) for more in (-1, 0)),
    ),
    *(str(-(2**31)), str(-(2**63)), str(-(2**63) - 1)),
)

TRUTHS = ("true", "false", "True", "TRUE", "on", "off", "yes", "no", "y", "f", " true", "2", "tRue")

TEXTS = (
    "a b",
    "%",
    "é",
    "\ufffd",
    "\x00",
    "null",
    "x" * 5000,
    "running",
    "failed",
    "RUNNING",
    "call",
)

RAW_QUERIES = (
    *(
        "{0}",
        "{0}=",
        "{0}=1&{0}=2",
        "{0}=2&{0}=x",
        "{0}=x&{0}=2",
        "{0}=&{0}=1",
        "{0}[]=1",
        "{0}=+1",
    ),
    *(
        "{0}=1+",
        "{0}=%ff",
        "{0}=%ED%A0%80",
        "{0}=%",
        "{0}=%zz",
        "&&{0}=1&",
        ";{0}=1",
        "=1",
        "?{0}=1",
    ),
    *(
        "{0}=true&{0}=false",
        "{0}=running&{0}=failed",
        "{0}=running&{0}=no",
        "{0}=1;{0}=2",
        "z{0}=1",
    ),
)

HEADER_VALUES = (
    *(
        b"",
        b"x",
        b"0",
        b"1",
        b"01",
        b"-1",
        b"1.1",
        b"\xe9",
        b" 1",
        b"9" * 18,
        b"9" * 19,
        b"9" * 200,
    ),
    *(b"*/*", b"text/event-stream", b"TEXT/event-stream;q=0.5", b"text/event-stream;q=0"),
)

CONTENT_TYPES = (
    *(b"", b"application/json; charset=utf-8", b"APPLICATION/JSON", b" application/json "),
    *(b"application/json;charset=latin-1", b"text/plain", b"text/json", b"*/*", b"application"),
    *(
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
        b"application/j\xb5",
    ),
    *(
        b"application/vnd.api+json",
        b"application/+json",
        b"application/a+jsonx",
        b"application /json",
    ),
    *(
        b"application/a+json+xml",
        b"application/a/b+json",
        b"application/a+json/b",
        b";application/json",
    ),
    *(b"application/json, text/plain", b"application/json\xa0", b"application/j\xe9+json"),
    *(b'application/json; a="', b"application/json;;", b"application/(x)+json", b"json"),
)

BODIES = (
    *(b"", b"null", b" ", b"{}", b"[]", b'""', b"0", b"true", b"nul", b"{", b'{"a":1,"a":2}'),
    *(b'{"a":1,"\\u0061":2}', b'{"a":{"b":1,"b":1}}', b'{"a":NaN}', b"Infinity", b'{"a":1e999}'),
    *(b'{"reason":"\\ud800"}', b'{"reason":"\\ud83d\\ude00"}', b'{"reason":"\xff"}', b'{"\xff":1}'),
    *(b'{"reason":"\xed\xa0\x80"}', b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b"{} {}", b"{},"),
    *(b"{}\x00", b"// c\n{}", b"{'a':1}", b'{"a":01}', b'{"a":.5}', b'{"a":"\t"}', b'{"":1}'),
    *(b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}"),
    *(b'{"x":' * 3000 + b"1" + b"}" * 3000, b'{"reason":null}', b'{"reason":"x","zzz":1}'),
)

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, -0.0, 1.0, 1.5, 1e308, 2**63, -(2**63) - 1, 10**30, "", "1", "1.0"),
    *("true", "é\x00", "running", [], {}, ["x", "x"], [None], [True], {"key": None}),
)

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)

WITH_BODY = [each for each in OPERATIONS if taken(each).body is not None]

WITH_QUERY = [each for each in OPERATIONS if taken(each).query]


@pytest.fixture
def ways() -> TwoWays:
    return shared_two_ways()


async def _same(ways: TwoWays, asks: Iterable[Ask]) -> set[int | None]:
    """Compare the answers to all these, and return their statuses."""
    statuses: set[int | None] = set()
    for ask in asks:
        by_app, by_framework = await ways.both(ask)
        assert by_app == by_framework, ask
        assert by_app.status != 500, ask
        statuses.add(by_app.status)
    return statuses


async def test_a_request_in_order_is_answered_alike_and_without_the_framework(
    ways: TwoWays,
) -> None:
    before = ways.operations.left
    for operation in OPERATIONS:
        asks = [ask_for(operation)]
        if (kind := taken(operation).body) is not None:
            least = json.dumps(sample(kind, whole=False)).encode()
            asks.append(ask_for(operation, body=least))
        assert await _same(ways, asks) == {operation.options.get("status_code", 200)}
        assert ways.engine.calls or operation.path == "/v1/events"
    assert ways.operations.left == before


async def test_any_path_is_answered_alike(ways: TwoWays) -> None:
    for operation in OPERATIONS:
        path = path_of(operation)
        shapes = [f"{path}/", f"/{path}", f"{path}\n", f"{path}/x", path.upper(), path[1:], ""]
        if taken(operation).path:
            shapes += [path_of(operation, each) for each in PATH_PARTS]
        assert 404 in await _same(ways, (ask_for(operation, path=each) for each in shapes))


async def test_a_method_that_is_not_offered_is_answered_alike_with_those_that_are(
    ways: TwoWays,
) -> None:
    offered: dict[str, set[str]] = {}
    for operation in OPERATIONS:
        offered.setdefault(path_of(operation), set()).add(operation.method)
    for path, methods in offered.items():
        for method in {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "get", ""} - methods:
            ask = Ask(method, path)
            assert await _same(ways, [ask]) == {405}
            answer = await ways.answer(ways.app, ask)
            assert dict(answer.headers)[b"allow"].decode().split(", ") == sorted(methods)


async def test_any_query_is_answered_alike(ways: TwoWays) -> None:
    seen: set[str] = set()
    unknown = (b"nobody=1", b"nobody", b"=", b"&", b"%", b"nobody=%ff", b"nobody=\xff")
    for operation in OPERATIONS:
        in_order = operation.options.get("status_code", 200)
        asks = (ask_for(operation, query=each) for each in unknown)
        assert await _same(ways, asks) == {in_order}
        for name, kind in taken(operation).query.items():
            queries = [each.format(name) for each in RAW_QUERIES]
            if repr(kind) not in seen:
                queries += [f"{name}={quote(each)}" for each in (*NUMBERS, *TRUTHS, *TEXTS)]
            seen.add(repr(kind))
            asks = (ask_for(operation, query=each.encode()) for each in queries)
            assert in_order in await _same(ways, asks)


async def test_any_header_is_answered_alike(ways: TwoWays) -> None:
    for operation in OPERATIONS:
        usual = ask_for(operation).headers
        for name in (each.encode() for each in ("accept", *taken(operation).headers)):
            found: list[HeaderList] = [[(name, value)] for value in HEADER_VALUES]
            found += [[(name, b"1"), (name, b"2")], [(name.replace(b"-", b"_"), b"1")]]
            asks = [ask_for(operation, headers=[*usual, *each]) for each in found]
            asks.append(ask_for(operation, headers=[*usual, (name, b"x")], query=b"after=7"))
            await _same(ways, asks)


async def test_any_body_is_answered_alike(ways: TwoWays) -> None:
    for operation in OPERATIONS:
        # Where none is taken nothing looks into it.
        bodies = BODIES if operation in WITH_BODY else BODIES[:3]
        await _same(ways, (ask_for(operation, headers=JSON, body=each) for each in bodies))


async def test_any_announcement_of_a_body_is_answered_alike(ways: TwoWays) -> None:
    twice = [(b"content-type", b"text/plain"), *JSON]
    announced: list[HeaderList] = [[(b"content-type", each)] for each in CONTENT_TYPES]
    announced += [[], twice, twice[::-1]]
    for operation in {_is_optional(taken(each).body): each for each in WITH_BODY}.values():
        for headers in announced:
            bodies = (ask_for(operation).body, b"", b"{}")
            await _same(ways, (ask_for(operation, headers=headers, body=each) for each in bodies))


def _is_optional(kind: Any) -> bool:
    return NoneType in get_args(kind)


async def test_a_body_that_is_not_announced_as_json_is_answered_alike(ways: TwoWays) -> None:
    for operation in WITH_BODY:
        text = [(b"content-type", b"text/plain")]
        asks = (ask_for(operation, headers=each) for each in ((), text))
        assert await _same(ways, asks) == {422}


async def test_a_body_in_pieces_is_answered_alike_and_half_a_one_is_not_answered(
    ways: TwoWays,
) -> None:
    for operation in OPERATIONS:
        body = ask_for(operation).body or b"{}    "
        await _same(ways, (ask_for(operation, body=body, pieces=each) for each in (2, 5)))
        halves = [ask_for(operation, body=body, pieces=3, leaves_after=each) for each in range(3)]
        assert await _same(ways, halves) == {None}
        assert ways.engine.calls == []


def _unlike_places() -> Iterator[tuple[Operation, Any, tuple[Any, ...]]]:
    """Yield places in the bodies, one for each type that something in them has."""
    seen: set[str] = set()
    for operation in OPERATIONS:
        kind = taken(operation).body
        whole = sample(kind)
        for at, each in places(kind, whole) if kind is not None else ():
            what = repr(each).removesuffix(" | None")
            if what not in seen:
                seen.add(what)
                yield operation, whole, at


async def test_anything_in_the_place_of_a_field_is_answered_alike(ways: TwoWays) -> None:
    statuses: set[int | None] = set()
    for operation, whole, at in _unlike_places():
        bodies = (json.dumps(changed(whole, at, odd)).encode() for odd in ODD)
        statuses |= await _same(ways, (ask_for(operation, body=each) for each in bodies))
    assert {201, 422} <= statuses


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_bodies_that_nobody_thought_of_are_answered_alike(
    ways: TwoWays, data: st.DataObject
) -> None:
    operation = data.draw(st.sampled_from(WITH_BODY))
    kind = taken(operation).body
    body = sample(kind)
    for _ in range(data.draw(st.integers(1, 2))):
        at, _kind = data.draw(st.sampled_from(places(kind, sample(kind))))
        body = _with(body, at, data.draw(ANY_JSON))
    await _same(ways, [ask_for(operation, body=json.dumps(body).encode())])


def _with(body: Any, at: tuple[Any, ...], new: Any) -> Any:
    """Put something into its place, unless the place is gone already."""
    try:
        return changed(body, at, new)
    except (KeyError, IndexError, TypeError, AttributeError):
        return body


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    operation=st.sampled_from(WITH_QUERY),
    pairs=st.lists(
        st.tuples(st.integers(0, 9), st.text(alphabet="0123456789-+.eE_ truefalsx,é", max_size=6)),
        min_size=1,
        max_size=4,
    ),
)
async def test_queries_that_nobody_thought_of_are_answered_alike(
    ways: TwoWays, operation: Operation, pairs: list[tuple[int, str]]
) -> None:
    names = list(taken(operation).query)
    query = "&".join(f"{names[number % len(names)]}={quote(text)}" for number, text in pairs)
    await _same(ways, [ask_for(operation, query=query.encode())])
