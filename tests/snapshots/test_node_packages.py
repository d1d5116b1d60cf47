"""A package of npm from its install to a prepared start, with a bundler that a daemon installs."""

from __future__ import annotations

import pytest
from tests.support.node_programs import QUICK, built, look, node, package, respawn
from tests.support.real_daemon import real_daemon, roost, wait_for

from roost.engine.build_tools import ESBUILD
from roost.models import InstallRequest, SourceKind

pytestmark = pytest.mark.real

INSTALL_BOUND_S = 120.0


def test_a_package_of_npm_is_prepared_with_a_bundler_that_is_installed_for_it() -> None:
    node()
    package("memory")  # skips where the registry is not reached
    with real_daemon() as daemon:
        requirement = "@modelcontextprotocol/server-memory@2026.8.31"
        request = InstallRequest(
            source=SourceKind.NPM,
            name="memory",
            requirement=requirement,
            script="mcp-server-memory",
            settings=QUICK,
        )
        daemon.install(request)
        wait_for(
            lambda: daemon.view("memory"),
            lambda view: view["state"] == "running",
            bound_s=INSTALL_BOUND_S,
        )
        built(daemon, "memory")
        assert (daemon.data_dir / "tools" / f"esbuild-{ESBUILD}" / "node_modules").is_dir()
        assert look(daemon, "memory")["backend"] == "v8cache"
        assert respawn(daemon, "memory") == "v8cache"
        shown = roost(daemon.data_dir, "snapshot", "show", "memory").stdout
        assert "v8cache" in shown
        assert "mcp-server-memory" in shown or "server-memory" in shown
