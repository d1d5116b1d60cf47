"""`Wire` against scripted answers."""

from __future__ import annotations

import json
import os
import socket

import pytest
from tests.support.scripted_server import scripted_server
from tests.support.socket_dir import socket_dir

from roost.client.wire import Wire, quote, target
from roost.errors import BundleNotFound, DaemonUnreachable, ShuttingDown, Unavailable

OK_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


def _answer(body: bytes, status: bytes = b"200 OK") -> list[bytes]:
    return [b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)]


def _error(code: str, message: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "details": {"a": 1}}}).encode()


def test_an_answer_with_a_length_is_read_to_its_end_and_no_further() -> None:
    with scripted_server([OK_HEAD + b"Content-Length: 4\r\n\r\n[1]", b"\nrubbish"]) as server:
        assert Wire(server.path).get("/v1/x") == [1]


def test_a_chunked_answer_is_put_together_wherever_it_is_cut() -> None:
    head = OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    whole = head + b"3;note=1\r\n[1,\r\nA\r\n 2,3,4,5]  \r\n0\r\nTrailer: x\r\n\r\n"
    pieces = [whole[index : index + 1] for index in range(len(whole))]
    with scripted_server(pieces) as server:
        assert Wire(server.path).get("/v1/x") == [1, 2, 3, 4, 5]


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    with scripted_server([OK_HEAD + b"\r\n{", b'"a":1}']) as server:
        assert Wire(server.path).get("/v1/x") == {"a": 1}


def test_a_request_carries_its_body_query_and_method() -> None:
    with scripted_server(_answer(b"{}"), _answer(b"")) as server:
        wire = Wire(server.path)
        assert wire.send("PUT", "/v1/x", b'{"a": 1}', reason="so it is") == {}
        assert wire.send("POST", "/v1/y", none=None) is None
    put, post = server.requests
    assert put.startswith(b"PUT /v1/x?reason=so%20it%20is HTTP/1.1\r\n")
    assert put.endswith(b'\r\n\r\n{"a": 1}')
    assert post.startswith(b"POST /v1/y HTTP/1.1\r\n")
    assert b"Content-Length: 0" in post


def test_a_refusal_becomes_the_error_it_was() -> None:
    refused = _answer(_error("bundle_not_found", "no such bundle"), b"404 Not Found")
    with scripted_server(refused) as server, pytest.raises(BundleNotFound) as caught:
        Wire(server.path).get("/v1/x")
    assert caught.value.message == "no such bundle"
    assert caught.value.details == {"a": 1}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": 3}', b'{"error": {}}'])
def test_a_refusal_without_a_reason_is_still_an_error_of_ours(body: bytes) -> None:
    answer = _answer(body, b"502 Bad Gateway")
    with scripted_server(answer) as server, pytest.raises(Unavailable, match="status 502"):
        Wire(server.path).get("/v1/x")


@pytest.mark.parametrize(
    "script",
    [
        [b"SSH-2.0-OpenSSH_9.6\r\n\r\n"],
        [b"HTTP/1.1 abc\r\n\r\n"],
        [b"x" * 70_000],
        [OK_HEAD + b"content-length: many\r\n\r\n"],
        [OK_HEAD + b"content-length: -3\r\n\r\n"],
        [OK_HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n"],
        [OK_HEAD + b"content-length: 3\r\n\r\n<p>"],
    ],
)
def test_whatever_else_answers_is_named_instead_of_believed(script: list[bytes]) -> None:
    with scripted_server(script) as server, pytest.raises(DaemonUnreachable, match="another"):
        Wire(server.path).get("/v1/x")


@pytest.mark.parametrize(
    "script",
    [
        [b"HTTP/1.1 200"],
        [OK_HEAD + b"content-length: 9\r\n\r\n[1"],
        [OK_HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n[1"],
    ],
)
def test_a_daemon_that_goes_away_while_answering_is_unreachable(script: list[bytes]) -> None:
    with scripted_server(script) as server, pytest.raises(DaemonUnreachable, match="went away"):
        Wire(server.path).get("/v1/x")


def test_a_daemon_that_does_not_answer_is_given_up_in_time() -> None:
    with scripted_server([]) as server, pytest.raises(DaemonUnreachable, match="does not answer"):
        Wire(server.path).send("POST", "/v1/x", timeout_s=0.1)


def test_an_answer_that_keeps_coming_does_not_stretch_the_time_it_may_take() -> None:
    endless = [OK_HEAD + b"content-length: 10000000000\r\n\r\n", *[b" " * 65536] * 100_000]
    with scripted_server(endless) as server, pytest.raises(DaemonUnreachable, match="not answer"):
        Wire(server.path).send("POST", "/v1/x", timeout_s=0.05)


def test_the_events_of_a_stream_come_one_by_one_and_comments_not_at_all() -> None:
    pieces = [STREAM_HEAD, b": hello\n\nevent: page\nid: 7\nda", b'ta: {"a"\ndata: :1}\n\n']
    with scripted_server(pieces) as server:
        events = list(Wire(server.path).follow("/v1/x", tail=3))
    assert [(event.name, event.id, event.data) for event in events] == [("page", "7", '{"a"\n:1}')]
    assert server.requests[0].startswith(b"GET /v1/x?tail=3 ")


def test_a_stream_ends_with_the_daemons_closing_notice() -> None:
    pieces = [STREAM_HEAD, b"data: 1\n\nevent: closing\ndata: {}\n\ndata: 2\n\n"]
    with scripted_server(pieces) as server:
        assert [event.data for event in Wire(server.path).follow("/v1/x")] == ["1"]


def test_an_error_inside_a_stream_is_raised_as_itself() -> None:
    body = _error("shutting_down", "the daemon is shutting down")
    pieces = [STREAM_HEAD, b"event: error\ndata: " + body + b"\n\n"]
    with scripted_server(pieces) as server, pytest.raises(ShuttingDown):
        list(Wire(server.path).follow("/v1/x"))


def test_a_chunked_stream_that_is_cut_off_says_so_after_its_events() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    with scripted_server([head + b"9\r\ndata: 1\n\n\r\n"]) as server:
        stream = Wire(server.path).follow("/v1/x")
        assert next(stream).data == "1"
        with pytest.raises(DaemonUnreachable, match="went away"):
            next(stream)


def test_no_socket_means_no_daemon() -> None:
    with socket_dir() as directory:
        wire = Wire(os.path.join(directory, "roost.sock"))
        assert not wire.is_listening()
        with pytest.raises(DaemonUnreachable, match="no daemon is running"):
            wire.get("/v1/status")


def test_a_socket_that_a_dead_daemon_left_means_no_daemon() -> None:
    with socket_dir() as directory:
        path = os.path.join(directory, "roost.sock")
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(path)
        assert not Wire(path).is_listening()


def test_a_socket_of_another_user_is_never_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_server() as server:
        stranger = os.stat(server.path).st_uid + 4711
        real = os.stat(server.path)
        stat = os.stat_result((*real[:4], stranger, *real[5:]))
        with monkeypatch.context() as patch:
            patch.setattr(os, "geteuid", lambda: 4242)
            patch.setattr(os, "stat", lambda *_, **__: stat)
            with pytest.raises(DaemonUnreachable, match="belongs to the user with id"):
                Wire(server.path).get("/v1/status")
            with pytest.raises(DaemonUnreachable):
                Wire(server.path).is_listening()


def test_names_cannot_leave_their_place_in_a_path() -> None:
    assert quote("a/../b?c#d e%") == "a%2F%2E%2E%2Fb%3Fc%23d%20e%25"
    assert quote("zo\u00eb") == "zo%C3%AB"


def test_a_query_leaves_out_what_is_none_and_repeats_what_is_many() -> None:
    query = {"a": None, "status": ("running", "failed"), "limit": 3, "none": ()}
    assert target("/v1/runs", query) == "/v1/runs?status=running&status=failed&limit=3"
    assert target("/v1/runs", {}) == "/v1/runs"
