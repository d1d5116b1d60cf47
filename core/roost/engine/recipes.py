"""`BundleRecipes`: joins the definitions of `roost.bundles` to what supervision asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from roost.bundles import (
    base_environment,
    config_hash,
    missing_fields,
    plan_prepare,
    render,
)
from roost.bundles.environment import prepare_environment
from roost.bundles.installers import find_installers
from roost.errors import StoreUnavailable
from roost.models import Definition, FieldValue, Launch, LaunchContext, PreparePlan


class BundleRecipes:
    """Makes definitions startable on this machine.

    Args:
        data_dir: where state directories and prepared environments are kept.
        environ: the daemon's environment; children get its allow-listed part.
    """

    def __init__(self, data_dir: Path, environ: Mapping[str, str]) -> None:
        self._data_dir = data_dir
        self._environ = dict(environ)
        self.base_env = base_environment(environ)
        """What every child sees of the daemon's environment."""
        self.prepare_env = prepare_environment(environ)
        """What package managers see of it: also their own configuration."""
        self.installers = find_installers(environ)

    def config_hash(self, definition: Definition) -> str:
        return config_hash(definition)

    def missing_fields(
        self, definition: Definition, values: dict[str, FieldValue]
    ) -> tuple[str, ...]:
        return missing_fields(definition, values)

    def plan_prepare(
        self, workspace: str, bundle: str, definition: Definition
    ) -> PreparePlan | None:
        return plan_prepare(
            definition,
            prepared_root=self._data_dir / "prepared",
            installers=self.installers,
            environ=self._environ,
        )

    def launch(
        self,
        workspace: str,
        bundle: str,
        definition: Definition,
        values: dict[str, FieldValue],
        *,
        prepared_dir: str | None,
        port: int | None,
    ) -> Launch:
        state_dir = self.state_dir(workspace, bundle)
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(
                f"the directory {state_dir} of {workspace}/{bundle} cannot be made "
                f"({error.strerror}); make way for it, then `roost start {workspace}/{bundle}`"
            ) from error
        context = self.context(workspace, bundle, prepared_dir=prepared_dir, port=port)
        return render(definition, values, context)

    def context(
        self, workspace: str, bundle: str, *, prepared_dir: str | None, port: int | None
    ) -> LaunchContext:
        """Return the facts that a start of this bundle would be rendered with."""
        return LaunchContext(
            home=self._environ.get("HOME", str(Path.home())),
            state_dir=str(self.state_dir(workspace, bundle)),
            base_env=self.base_env,
            prepared_dir=prepared_dir,
            port=port,
        )

    def state_dir(self, workspace: str, bundle: str) -> Path:
        """Return the writable directory of a bundle."""
        return self._data_dir / "state" / workspace / bundle
