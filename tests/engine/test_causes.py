"""Known causes in what programs say: each adds the remedy that fits, and nothing else does."""

from __future__ import annotations

import pytest

from roost.engine.why.causes import CAUSES, remedy

SAMPLES = (
    ("AttributeError: module 'mcp.types' has no attribute 'Tool'", "mcp<2"),
    ("AttributeError: 'Server' object has no attribute 'list_resources'", "mcp<2"),
    ("ModuleNotFoundError: No module named 'requests'", "the module requests"),
    ("/usr/bin/python3: No module named mcp_server_git", "the module mcp_server_git"),
    ("ImportError: cannot import name 'Foo' from 'bar'", "Foo is not in it"),
    ("Error: Cannot find module '@scope/server'", "Node does not find @scope/server"),
    ("Error: Cannot find module", "run `npm install` there"),
    ("Error: listen EADDRINUSE: address already in use :::3000", "`ss -ltnp`"),
    ("OSError: [Errno 98] Address already in use", "`ss -ltnp`"),
    ("connect ECONNREFUSED 127.0.0.1:5432", "`roost set w/app --after NAME`"),
    ("getaddrinfo ENOTFOUND api.example.invalid", "could not be resolved"),
    ("ssl.SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED", "SSL_CERT_FILE"),
    ("HTTP status 401", "`roost credentials w/app`"),
    ("Invalid API key provided", "`roost credentials w/app`"),
    ("KeyError: 'GITHUB_TOKEN'", "the variable GITHUB_TOKEN"),
    ("Missing required environment variable: API_URL", "the variable API_URL"),
    ("Error: DATABASE_URL is required", "the variable DATABASE_URL"),
    ("OSError: [Errno 24] Too many open files", "open_files=4096"),
    ("FATAL ERROR: JavaScript heap out of memory", "memory_bytes=none"),
    ("OSError: [Errno 28] No space left on device", "`df -h`"),
    ("OSError: [Errno 30] Read-only file system: 'x'", "read-only"),
    ("./server: /lib/libc.so.6: version `GLIBC_2.38' not found", "another system"),
    ("ERROR: Package 'x' requires a different Python: 3.9", "another version of its runtime"),
    ("ERROR: No matching distribution found for x==9", "does not exist in the registry"),
    ("npm error code E404", "does not exist in the registry"),
    ("npm error notarget No matching version found for x@9.", "does not exist in the registry"),
    ("npm error code ECONNREFUSED", "registry is not reached"),
    ("  cause: Failed to fetch: https://pypi.example/simple/x/", "registry is not reached"),
    ("/usr/bin/env: \u2018node\u2019: No such file or directory", "The program node"),
    ("sh: 1: uvx: not found", "The program uvx"),
    ("bash: line 1: npx: command not found", "The program npx"),
    ("PermissionError: [Errno 13] Permission denied: '/srv'", "check who owns it"),
    ("FileNotFoundError: [Errno 2] No such file or directory: '/srv/data'", "/srv/data"),
    ("sqlite3.OperationalError: database is locked", "Another program holds its database"),
)


@pytest.mark.parametrize(("line", "told"), SAMPLES, ids=lambda value: value[:40])
def test_a_known_line_brings_its_remedy(line: str, told: str) -> None:
    assert told in remedy((line,), "w/app")


def test_every_cause_of_the_table_is_reached_by_a_sample() -> None:
    reached = set()
    for line, _ in SAMPLES:
        reached.add(next(c for c in CAUSES if c.pattern.search(line)))
    assert reached == set(CAUSES)


@pytest.mark.parametrize(
    "line",
    [
        "fatal: told to die at start",
        '  File "server.py", line 401, in main',
        "listening on 8080",
        "KeyError: 'name'",
        "",
    ],
)
def test_an_ordinary_line_brings_none(line: str) -> None:
    assert remedy((line,), "w/app") == ""


def test_the_newest_line_counts() -> None:
    lines = ("connect ECONNREFUSED 127.0.0.1:1", "giving up", "KeyError: 'API_KEY'")
    assert "API_KEY" in remedy(lines, "w/app")


def test_no_output_brings_none() -> None:
    assert remedy((), "w/app") == ""


def test_a_registry_that_is_not_reached_explains_a_package_that_was_not_found() -> None:
    lines = (
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)'",
        "ERROR: Could not find a version that satisfies the requirement x (from versions: none)",
        "ERROR: No matching distribution found for x",
    )
    assert "registry is not reached" in remedy(lines, "w/app")
