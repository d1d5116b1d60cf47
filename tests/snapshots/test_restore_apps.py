"""Roost's own apps are templated as loaded metadata, and boot on after the restore."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.templates import (
    BASE_ENV,
    Lab,
    ended,
    line_of,
    open_lab,
    pid_of,
    script_plan,
    write,
)

from roost.drivers.base import SpawnSpec
from roost.errors import RestoreFailed, TemplateFailed
from roost.snapshots.backend import TemplatePlan

pytestmark = pytest.mark.real

APP = """
import json, os, sys
from roost import App

app = App("sample")
walked = []

@app.add
class Part:
    def config_will_load(self): walked.append("config_will_load")
    def load(self): walked.append("load")
    def before_snapshot(self):
        walked.append("before_snapshot")
        if os.environ.get("LOAD") == "fails": raise RuntimeError("no")
    def after_restore(self):
        walked.append("after_restore")
        if os.environ.get("START") == "fails": raise RuntimeError("no")
    def config_did_load(self): walked.append("config_did_load")
    def did_load(self): walked.append("did_load")
    def will_ready(self): walked.append("will_ready")
    def before_close(self): print("closed", flush=True)

@app.worker
async def work():
    if os.environ.get("START") == "waits":
        print("up", flush=True)
        await app.stopping.wait()
        return
    name = sys.modules["__main__"].__spec__.name
    print(json.dumps([walked, dict(app.environ)["NAME"], sys.argv, name, sys.path[0]]), flush=True)

if __name__ == "__main__":
    app.run()
"""


@pytest.fixture
def plan(tmp_path: Path) -> TemplatePlan:
    home = tmp_path / "home"
    home.mkdir()
    write(home, "app.py", APP)
    plan = script_plan(home / "app.py", ("asyncio", "roost.app", "app", "roost.app.__main__"))
    return replace(plan, kind="app", target="", own_argv=2)


def started(lab: Lab, plan: TemplatePlan, **env: str) -> SpawnSpec:
    spec = lab.spec(plan)
    argv = (plan.interpreter, "-m", "roost.app", "--directory", plan.cwd)
    return replace(spec, argv=argv, cwd="/", env=spec.env | {"NAME": "fresh"} | env)


def without_time(line: str) -> str:
    return line.split(None, 2)[-1]


async def test_an_app_boots_on_where_its_template_was_left(plan: TemplatePlan) -> None:
    async with open_lab() as lab:
        template = await lab.template(plan)
        assert template.report.failed == ()
        plain = await ended(await lab.plain(started(lab, plan)))
        restored = await ended(await lab.restored(template, started(lab, plan)))
        assert restored.exit == plain.exit == "exit 0"
        assert without_time(restored.err) == without_time(plain.err)
        walked, *facts = json.loads(restored.out.splitlines()[0])
        assert walked == [
            "config_will_load",
            "load",
            "before_snapshot",
            "after_restore",
            "config_did_load",
            "did_load",
            "will_ready",
        ]
        assert facts == json.loads(plain.out.splitlines()[0])[1:]
        assert facts[0] == "fresh" and facts[1] == [f"{plan.cwd}/app.py"]


async def test_a_restored_app_stops_as_a_plain_one(plan: TemplatePlan) -> None:
    async with open_lab() as lab:
        template = await lab.template(plan)
        process = await lab.restored(template, started(lab, plan, START="waits"))
        assert await line_of(process) == "up"
        report = await process.stop(10, eof_first=False)
        assert str(report.exit) == "exit 0"
        assert await line_of(process) == "closed"


async def test_a_failed_hook_of_an_app_fails_the_restore_and_closes_what_it_opened(
    plan: TemplatePlan,
) -> None:
    async with open_lab() as lab:
        template = await lab.template(plan)
        with pytest.raises(RestoreFailed, match="before it came to its entry"):
            await template.restore(started(lab, plan, START="fails"))
        assert lab.bench.left() == (pid_of(template),)


async def test_a_failed_hook_before_the_snapshot_of_an_app_fails_the_template(
    plan: TemplatePlan,
) -> None:
    async with open_lab() as lab:
        with pytest.raises(TemplateFailed, match="its freeze raised"):
            await lab.template(replace(plan, env=BASE_ENV | {"LOAD": "fails"}))
        assert lab.bench.left() == ()


async def test_an_app_that_cannot_be_loaded_is_told(plan: TemplatePlan) -> None:
    Path(plan.cwd, "app.py").write_text("raise LookupError('no such thing')\n")
    async with open_lab() as lab:
        template = await lab.template(plan)
        [(name, error)] = template.report.failed
        assert name == "" and "LookupError" in error
