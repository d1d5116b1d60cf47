"""Restored processes share what the template has loaded, also after full collections."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.support.templates import Lab, line_of, open_lab, pid_of, script_plan, write

from roost.drivers.base import DriverProcess
from roost.snapshots.template_process import TemplateProcess

pytestmark = pytest.mark.real

COUNT = 10

MODULES = (
    *("argparse", "asyncio", "concurrent.futures", "configparser", "csv", "ctypes", "datetime"),
    *("decimal", "difflib", "email.message", "email.policy", "fractions", "ftplib", "html.parser"),
    *("http.client", "http.server", "imaplib", "inspect", "json", "logging.config", "pdb"),
    *("multiprocessing.managers", "pickletools", "platform", "plistlib", "pydoc", "random"),
    *("sched", "shelve", "smtplib", "sqlite3", "ssl", "statistics", "subprocess", "tarfile"),
    *("tempfile", "tomllib", "typing", "unittest.mock", "urllib.request", "uuid", "zipfile"),
    *("wsgiref.simple_server", "xml.dom.minidom", "xml.etree.ElementTree", "zoneinfo"),
)

TEXT = (
    "import gc, sys, " + ", ".join(MODULES) + "\n"
    "from ballast import ballast\n"
    "if 'collect' in sys.argv:\n"
    "    gc.collect(); gc.collect()\n"
    "print('up', flush=True)\n"
    "sys.stdin.read()\n"
)

BALLAST = "ballast = [{'name': str(n), 'at': [n, n + 1]} for n in range(40_000)]\n"
"""As much as a large framework has, so that what every interpreter needs itself weighs little."""


def pss_kb(process: DriverProcess | TemplateProcess) -> int:
    lines = Path(f"/proc/{pid_of(process)}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


async def total_kb(lab: Lab, processes: list[DriverProcess]) -> int:
    for process in processes:
        assert await line_of(process) == "up"
    return sum(map(pss_kb, processes))


@pytest.mark.parametrize(("argument", "at_most"), [("run", 0.5), ("collect", 0.25)])
async def test_restored_processes_share_their_memory(
    tmp_path: Path, argument: str, at_most: float
) -> None:
    write(tmp_path, "ballast.py", BALLAST)
    script = write(tmp_path, "app.py", TEXT)
    plan = script_plan(script, (*MODULES, "ballast"), interpreter=sys.executable)
    async with open_lab() as lab:
        template = await lab.template(plan)
        assert template.report.failed == ()
        specs = [lab.spec(plan, argument, stdin=True) for _ in range(COUNT)]
        plain = [await lab.plain(spec) for spec in specs]
        plain_kb = await total_kb(lab, plain)
        for process in plain:
            await process.stop(0, eof_first=False)
        specs = [lab.spec(plan, argument, stdin=True) for _ in range(COUNT)]
        restored = [await lab.restored(template, spec) for spec in specs]
        restored_kb = await total_kb(lab, restored) + pss_kb(template)
        for process in restored:
            await process.stop(0, eof_first=False)
        assert restored_kb <= at_most * plain_kb
