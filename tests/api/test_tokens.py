"""What the token of a supervised program opens, and that all else is as if it did not exist."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from tests.support.fake_engine import FakeEngine
from tests.support.serving import serving

from roost.api import create_app
from roost.engine.tokens import RUNS_REMEMBERED, Grant, Tokens


@dataclass
class Api:
    """A served engine, and the token of one of its programs."""

    fake: FakeEngine
    tokens: Tokens
    http: httpx.AsyncClient
    token: str

    async def ask(
        self, method: str, path: str, body: object = None, token: str | None = None
    ) -> httpx.Response:
        """Send a request with a token."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return await self.http.request(method, f"/v1{path}", json=body, headers=headers)

    async def begin(self, token: str | None = None, **fields: object) -> str:
        """Begin a run with a token and return its id."""
        answer = await self.ask("POST", "/workspaces/w/runs", {"title": "t", **fields}, token)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["run"]["id"])

    async def submit(self, **fields: object) -> str:
        """Submit the task `report` with a token and return its run's id."""
        answer = await self.ask("POST", "/workspaces/w/tasks/report/runs", fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["run"]["id"])

    def issue(self, workspace: str, bundle: str, generation: str) -> str:
        """Return a new token."""
        return str(json.loads(self.tokens.hand_over(workspace, bundle, generation))["token"])


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    fake, tokens = FakeEngine(workspaces=("w", "other")), Tokens("/run/roost.sock")
    async with serving(create_app(fake, clock=fake.clock, tokens=tokens)) as served:
        transport = httpx.AsyncHTTPTransport(verify=False, uds=served.path)
        async with httpx.AsyncClient(transport=transport, base_url="http://roost") as http:
            api = Api(fake, tokens, http, "")
            api.token = api.issue("w", "agent", "gen-1")
            yield api
        fake.close()


async def test_a_token_begins_reports_reads_and_finishes_in_the_bundles_name(api: Api) -> None:
    run_id = await api.begin(bundle="another")
    path = f"/workspaces/w/runs/{run_id}"
    report = await api.ask("POST", f"{path}/report", {"epoch": 1, "output": "one"})
    assert report.status_code == 200 and report.json()["stop_requested"] is False
    assert (await api.ask("GET", path)).json()["run"]["bundle"] == "agent"
    end = await api.ask("POST", f"{path}/finish", {"epoch": 1, "status": "succeeded"})
    assert end.json()["status"] == "succeeded"
    assert {call.actor for call in api.fake.calls} == {"agent"}


async def test_runs_of_others_are_as_unknown_as_runs_that_do_not_exist(api: Api) -> None:
    theirs = await api.begin(api.issue("w", "rival", "gen-2"))
    before = len(api.fake.calls)
    for verb, suffix, body in (
        ("GET", "", None),
        ("POST", "/report", {"epoch": 1}),
        ("POST", "/finish", {"epoch": 1, "status": "failed"}),
    ):
        answers = [
            await api.ask(verb, f"/workspaces/w/runs/{run_id}{suffix}", body)
            for run_id in (theirs, "f" * len(theirs))
        ]
        shown = [answer.text.replace(theirs, "f" * len(theirs)) for answer in answers]
        assert shown[0] == shown[1] and {answer.status_code for answer in answers} == {404}
    child = await api.ask("POST", "/workspaces/w/runs", {"title": "t", "parent": theirs})
    assert child.status_code == 404
    assert len(api.fake.calls) == before


async def test_a_key_takes_over_nobody_elses_run(api: Api) -> None:
    body = {"title": "t", "idempotency_key": "daily"}
    theirs = (await api.http.post("/v1/workspaces/w/runs", json=body)).json()["run"]["id"]
    mine = await api.begin(idempotency_key="daily")
    assert mine != theirs and await api.begin(idempotency_key="daily") == mine


async def test_every_other_operation_is_as_if_it_did_not_exist(api: Api) -> None:
    run_id = await api.begin()
    paths = (await api.http.get("/v1/openapi.json")).json()["paths"]
    opened = {
        ("post", "/v1/workspaces/{workspace}/runs"),
        ("get", "/v1/workspaces/{workspace}/runs/{run_id}"),
        ("post", "/v1/workspaces/{workspace}/runs/{run_id}/report"),
        ("post", "/v1/workspaces/{workspace}/runs/{run_id}/finish"),
        ("get", "/v1/workspaces/{workspace}/runs/{run_id}/events"),
        ("post", "/v1/workspaces/{workspace}/tasks/{task}/runs"),
        ("post", "/v1/workspaces/{workspace}/workers"),
        ("post", "/v1/workspaces/{workspace}/claims"),
        ("post", "/v1/workspaces/{workspace}/runs/{run_id}/task/report"),
        ("post", "/v1/workspaces/{workspace}/runs/{run_id}/task/end"),
        ("post", "/v1/workspaces/{workspace}/runs/{run_id}/task/release"),
    }
    every = {(verb, path) for path, verbs in paths.items() for verb in verbs}
    assert opened < every and len(every) > 30
    before = len(api.fake.calls)
    for verb, path in {*(every - opened), ("get", "/v1/openapi.json"), ("get", "/v1/nothing")}:
        filled = path.replace("{workspace}", "w").replace("{run_id}", run_id)
        where = filled.replace("{name}", "agent").replace("{task}", "report")
        answer = await api.ask(verb.upper(), where.removeprefix("/v1"), {})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), where
        assert answer.json()["error"]["message"].startswith(f"there is no {verb.upper()} {where} ")
    assert len(api.fake.calls) == before


async def test_a_worker_registers_claims_and_does_what_it_has_claimed(api: Api) -> None:
    hello = {"tasks": [{"name": "report"}]}
    assert (await api.ask("POST", "/workspaces/w/workers", hello)).json()["bundle"] == "agent"
    run_id = await api.submit()
    path = f"/workspaces/w/runs/{run_id}"
    early = await api.ask("POST", f"{path}/task/report", {"epoch": 1})
    assert early.status_code == 404
    [claimed] = (await api.ask("POST", "/workspaces/w/claims", {"free": 1})).json()
    assert claimed["run"]["id"] == run_id
    epoch = claimed["epoch"]
    report = await api.ask("POST", f"{path}/task/report", {"epoch": epoch, "output": "one"})
    assert report.status_code == 200, report.text
    assert (await api.ask("GET", path)).json()["run"]["id"] == run_id
    end = await api.ask("POST", f"{path}/task/end", {"epoch": epoch, "status": "succeeded"})
    assert end.json()["status"] == "succeeded"
    events = await api.ask("GET", f"{path}/events")
    assert events.status_code == 200 and "one" in events.text


async def test_a_claimed_run_is_nobody_elses_and_not_reported_as_outside_work(api: Api) -> None:
    await api.ask("POST", "/workspaces/w/workers", {"tasks": [{"name": "report"}]})
    run_id = await api.submit()
    [claimed] = (await api.ask("POST", "/workspaces/w/claims", {"free": 1})).json()
    rival = api.issue("w", "rival", "gen-2")
    before, path = len(api.fake.calls), f"/workspaces/w/runs/{run_id}"
    told = {"epoch": claimed["epoch"]}
    for token, suffix, body in (
        (rival, "/task/report", told),
        (rival, "/task/end", told | {"status": "succeeded"}),
        (rival, "/task/release", told),
        (rival, "/report", told),
        (api.token, "/report", told),
        (api.token, "/finish", told | {"status": "succeeded"}),
    ):
        answer = await api.ask("POST", path + suffix, body, token)
        code = answer.json()["error"]["code"]
        assert (answer.status_code, code) == (404, "run_not_found"), suffix
    for suffix in ("", "/events"):
        assert (await api.ask("GET", path + suffix, token=rival)).status_code == 404
    child = {"parent": run_id}
    assert (await api.ask("POST", "/workspaces/w/tasks/report/runs", child, rival)).is_error
    assert len(api.fake.calls) == before
    assert not any(grant.unfinished for grant in api.tokens._grants.values())


async def test_a_child_is_of_a_run_that_was_claimed_and_can_be_followed_and_no_more(
    api: Api,
) -> None:
    await api.ask("POST", "/workspaces/w/workers", {"tasks": [{"name": "report"}]})
    run_id = await api.submit()
    await api.ask("POST", "/workspaces/w/claims", {"free": 1})
    child = await api.submit(parent=run_id, input=2)
    path = f"/workspaces/w/runs/{child}"
    assert (await api.ask("GET", path)).json()["run"]["parent"] == run_id
    grandchild = await api.ask("POST", "/workspaces/w/tasks/report/runs", {"parent": child})
    assert grandchild.status_code == 404
    assert (await api.ask("POST", f"{path}/task/report", {"epoch": 1})).status_code == 404


async def test_a_submitted_key_takes_over_nobody_elses_run(api: Api) -> None:
    await api.ask("POST", "/workspaces/w/workers", {"tasks": [{"name": "report"}]})
    body, path = {"idempotency_key": "daily"}, "/workspaces/w/tasks/report/runs"
    theirs = (await api.http.post(f"/v1{path}", json=body)).json()["run"]["id"]
    mine = await api.submit(idempotency_key="daily")
    assert mine != theirs and await api.submit(idempotency_key="daily") == mine
    assert (await api.ask("GET", f"/workspaces/w/runs/{theirs}")).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/workspaces/other/runs",
        "/workspaces/other/workers",
        "/workspaces/other/claims",
        "/workspaces/other/tasks/report/runs",
        "/workspaces/w/tasks/report%2F..%2Fother/runs/x",
        "/workspaces/w/runs/x/task/stop",
        "/workspaces/w%2F..%2Fother/runs",
        "/workspaces/w/runs/",
        "/workspaces/w/runs/x/report/../stop",
        "/workspaces/w/runs/x/stop",
        "/workspaces/w/runs/x%2Fstop",
        "/workspaces/w%0A/runs",
    ],
)
async def test_no_spelling_of_a_path_leads_elsewhere(api: Api, path: str) -> None:
    answer = await api.ask("POST", path, {"title": "t", "epoch": 1})
    assert answer.status_code == 404 and not api.fake.calls


async def test_a_token_dies_with_its_generation_and_a_new_one_has_a_new_one(api: Api) -> None:
    run_id = await api.begin()
    second = api.issue("w", "agent", "gen-2")
    assert second != api.token
    api.tokens.revoke("gen-1")
    api.tokens.revoke("gen-1")
    path = f"/workspaces/w/runs/{run_id}/report"
    assert (await api.ask("POST", path, {"epoch": 1})).status_code == 404
    assert (await api.ask("POST", path, {"epoch": 1}, second)).status_code == 404
    await api.begin(second)


@pytest.mark.parametrize("given", ["Bearer nothing", "Basic dzp4", "", "Bearer"])
async def test_whoever_shows_what_is_no_token_gets_nowhere(api: Api, given: str) -> None:
    headers = {"Authorization": given}
    answer = await api.http.get("/v1/status", headers=headers)
    assert answer.status_code == 404
    answer = await api.http.post("/v1/workspaces/w/runs", json={"title": "t"}, headers=headers)
    assert answer.status_code == 404 and not api.fake.calls


async def test_the_operator_needs_no_token(api: Api) -> None:
    assert (await api.http.get("/v1/status")).status_code == 200


def test_what_is_kept_of_a_token_is_its_hash() -> None:
    tokens = Tokens("/run/roost.sock")
    handed = json.loads(tokens.hand_over("w", "agent", "gen-1"))
    assert handed["token"] not in repr(vars(tokens))
    assert {key: handed[key] for key in ("socket", "workspace", "bundle")} == {
        "socket": "/run/roost.sock",
        "workspace": "w",
        "bundle": "agent",
    }
    assert tokens.grant_of("") is None and tokens.grant_of("\udc80") is None


def test_what_a_program_leaves_unfinished_is_told_once_it_has_ended() -> None:
    gone: list[Grant] = []
    tokens = Tokens("/run/roost.sock", gone.append)
    token = json.loads(tokens.hand_over("w", "agent", "gen-1"))["token"]
    grant = tokens.grant_of(token)
    assert grant is not None
    for run_id in ("one", "two"):
        grant.own(run_id)
    grant.finished("one")
    assert grant.owns("one") and not gone
    tokens.revoke("gen-1")
    tokens.revoke("gen-1")
    assert [each.unfinished for each in gone] == [("two",)]


def test_a_grant_remembers_a_bounded_number_of_runs() -> None:
    grant = Grant("w", "agent", "gen-1")
    for number in range(RUNS_REMEMBERED + 1):
        grant.own(f"r{number}")
    assert not grant.owns("r0") and grant.owns("r1") and grant.owns(f"r{RUNS_REMEMBERED}")


def test_of_many_claimed_runs_the_one_that_is_reported_for_is_not_forgotten() -> None:
    grant = Grant("w", "agent", "gen-1")
    grant.hold("long")
    grant.hold("idle")
    for number in range(RUNS_REMEMBERED):
        assert grant.holds("long")
        grant.hold(f"r{number}")
        grant.follow(f"f{number}")
    assert grant.knows("long") and not grant.holds("idle")
    grant.follow("one more")
    assert not grant.knows("f0") and grant.knows("f1") and grant.unfinished == ()
