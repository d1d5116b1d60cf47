"""The published description against a running daemon: generated requests, valid and not.

The requests are the same in every run: they follow from the description alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from requests import Session
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.support.fake_engine import FakeEngine
from tests.support.owned_daemon import OwnedDaemon, owned_daemon
from tests.support.unix_requests import unix_session

from roost.api import create_app
from roost.client.sse import ServerEvent, SseDecoder
from roost.models import BundleKind, BundleSettings, InstallRequest, SourceKind
from roost.settings.locations import socket_path

pytestmark = [pytest.mark.real, pytest.mark.timeout(600), pytest.mark.xdist_group("api-schema")]

BASE = "http://roost"

PROGRAMS = Path(__file__).parents[1] / "support" / "programs"

Case = schemathesis.Case[Any]

STREAMS = ("events", "run_events", "follow_log")
"""They go on until somebody ends them, so they are looked at one by one."""

ENDS_THE_DAEMON = "shutdown"

JOB = "report"
"""The task, and the schedule, of the program `jobs`."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    allow_header_conformance,
]

ALIKE_IN_EVERY_RUN = settings(
    max_examples=5,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

OFFLINE = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1"}
"""A requirement that nobody wrote is asked of no package index."""


@cache
def _described() -> dict[str, Any]:
    fake = FakeEngine()
    return create_app(fake, clock=fake.clock).openapi()


DESCRIPTION = schemathesis.openapi.from_dict(_described()).exclude(
    operation_id=[*STREAMS, ENDS_THE_DAEMON]
)

DRAWN_ONLY = schemathesis.openapi.from_dict(
    _described(),
    config=SchemathesisConfig.from_dict({"phases": {"coverage": {"enabled": False}}}),
).exclude(operation_id=[*STREAMS, ENDS_THE_DAEMON])
"""The same without requests for every limit of every field.

Those are many, take long to make up, and mean more when they meet what exists.
"""


@dataclass(frozen=True)
class Target:
    """A daemon with something of every kind in it."""

    daemon: OwnedDaemon
    http: Session
    run_id: str

    def ask(self, case: Case) -> None:
        """Send a generated request and check the answer."""
        _never_start(case)
        answer = case.call(base_url=BASE, session=self.http)
        case.validate_response(answer, checks=CHECKS)

    def aim(self, case: Case) -> None:
        """Point a generated request at what exists."""
        operation = case.operation.definition.raw["operationId"]
        existing = {
            "workspace": "w",
            "name": _name_for(operation),
            "run_id": self.run_id,
            "task": JOB,
        }
        for name in case.path_parameters:
            case.path_parameters[name] = existing[name]
        if isinstance(case.body, dict) and isinstance(case.body.get("tool"), str):
            case.body["tool"] = "echo"


def _name_for(operation: str) -> str:
    """Name a bundle, or a schedule, that can bear the operation without spoiling the others."""
    if operation.endswith("_schedule"):
        return JOB
    if operation in ("tools", "call_tool", "log_page", "why"):
        return "server"
    return {"remove": "spare", "change_settings": "tuned"}.get(operation, "worker")


def _never_start(case: Case) -> None:
    """What is installed is made up; it must not run."""
    body = case.body
    if isinstance(body, dict) and "source" in body and body.get("start", True) is True:
        body["start"] = False


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with owned_daemon(**OFFLINE) as daemon:
        operator = daemon.operator
        operator.install_mini("server", env={"API_KEY": "some-value"})
        _install_worker(daemon, "worker")
        _install_worker(daemon, "spare")
        _install_worker(daemon, "tuned", start=False)
        operator.install(
            InstallRequest(SourceKind.WORKER, name="jobs", path=str(PROGRAMS), entry="jobs")
        )
        for name in ("server", "worker", "spare", "jobs"):
            operator.until(name, "running")
        run_id = operator.begin("server", "echo")
        operator.settled(run_id)
        with unix_session(socket_path(str(daemon.data_dir))) as http:
            yield Target(daemon, http, run_id)


def _install_worker(daemon: OwnedDaemon, name: str, *, start: bool = True) -> None:
    request = InstallRequest(
        source=SourceKind.COMMAND,
        name=name,
        kind=BundleKind.COMMAND,
        command=("/bin/sleep", "1000"),
        env={"API_KEY": "some-value"},
        settings=BundleSettings(settle_s=0.01, stop_grace_s=1),
        start=start,
    )
    daemon.operator.install(request)


@DESCRIPTION.exclude(path_regex="{").parametrize()
@ALIKE_IN_EVERY_RUN
def test_a_request_that_names_nothing_is_answered_as_described(case: Case, target: Target) -> None:
    target.ask(case)


@DRAWN_ONLY.include(path_regex="{").parametrize()
@ALIKE_IN_EVERY_RUN
def test_a_request_about_anything_is_answered_as_described(case: Case, target: Target) -> None:
    target.ask(case)


@DESCRIPTION.include(path_regex="{").parametrize()
@ALIKE_IN_EVERY_RUN
def test_a_request_about_what_exists_is_answered_as_described(case: Case, target: Target) -> None:
    target.aim(case)
    target.ask(case)


def test_the_daemon_publishes_the_description_that_is_checked(target: Target) -> None:
    assert target.http.get(f"{BASE}/v1/openapi.json").json() == _described()


def _first_event(target: Target, path: str) -> ServerEvent:
    with target.http.get(f"{BASE}{path}", stream=True) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        decoder = SseDecoder()
        for piece in answer.iter_content(None):
            for event in decoder.feed(piece):
                return event
    raise AssertionError("the stream ended without an event")


def test_every_stream_is_one_and_begins_as_described(target: Target) -> None:
    workspace = "/v1/workspaces/w"
    target.daemon.operator.call("server", "say", text="hello")
    first = _first_event(target, "/v1/events")
    begun = _first_event(target, f"{workspace}/runs/{target.run_id}/events")
    page = _first_event(target, f"{workspace}/bundles/server/log/events")
    start_id = target.daemon.operator.wire.get("/v1/status")["start_id"]
    assert (first.name, first.id.partition(".")[0]) == ("snapshot", start_id)
    assert (begun.name, begun.id) == ("status", "1")
    assert (page.name, page.id) == ("page", "")


def test_the_daemon_has_met_no_fault_of_its_own(target: Target) -> None:
    assert [line for line in target.daemon.told() if "ERROR" in line] == []
