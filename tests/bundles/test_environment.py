"""What of the daemon's environment a child may see, and what changes a configuration's identity."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roost.bundles import base_environment, config_hash, prepare_environment
from roost.models import (
    BundleKind,
    BundleSettings,
    ConfigField,
    Definition,
    FieldType,
    ResourceLimits,
    Runtime,
    Source,
    SourceKind,
)

DAEMON = {
    "PATH": "/bin",
    "HOME": "/home/ann",
    "LC_ALL": "C",
    "SSL_CERT_FILE": "/ca.pem",
    "https_proxy": "http://proxy",
    "ROOST_VAULT_KEY": "secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "SSH_AUTH_SOCK": "/agent",
    "LD_PRELOAD": "/evil.so",
    "PYTHONPATH": "/own",
    "VIRTUAL_ENV": "/own",
    "PIP_INDEX_URL": "http://index",
    "PIP_TARGET": "/elsewhere",
    "UV_INDEX_URL": "http://index",
    "UV_PYTHON": "3.8",
    "npm_config_registry": "http://npm",
}
BASE = {"PATH", "HOME", "LC_ALL", "SSL_CERT_FILE", "https_proxy"}


def test_a_child_sees_the_allow_list_only() -> None:
    assert set(base_environment(DAEMON)) == BASE


def test_installers_see_their_configuration_but_no_other_place() -> None:
    assert set(prepare_environment(DAEMON)) == BASE | {
        "PIP_INDEX_URL",
        "UV_INDEX_URL",
        "npm_config_registry",
    }


def test_there_is_always_a_path() -> None:
    assert base_environment({}) == {"PATH": "/usr/local/bin:/usr/bin:/bin"}


DEFINITION = Definition(
    kind=BundleKind.WEB,
    runtime=Runtime.PYTHON,
    title="App",
    version="1",
    command="python",
    source=Source(SourceKind.COMMAND, "python"),
    args=("a", "b"),
    fields=(ConfigField("f", FieldType.STRING, "F", default="x"),),
)


@pytest.mark.parametrize(
    "changed",
    [
        replace(DEFINITION, command="python3"),
        replace(DEFINITION, args=("a b",)),
        replace(DEFINITION, env={"A": "1"}),
        replace(DEFINITION, version="2"),
        replace(DEFINITION, port=80),
        replace(DEFINITION, root="/r"),
        replace(DEFINITION, requirements=("x==1",)),
        replace(DEFINITION, fields=(replace(DEFINITION.fields[0], default="y"),)),
        replace(DEFINITION, settings=BundleSettings(limits=ResourceLimits(open_files=64))),
    ],
)
def test_what_changes_a_start_changes_the_hash(changed: Definition) -> None:
    assert config_hash(changed) != config_hash(DEFINITION)


def test_what_does_not_change_a_start_keeps_the_hash() -> None:
    assert len(config_hash(DEFINITION)) == 12
    changed = replace(
        DEFINITION, title="Other", description="d", settings=BundleSettings(drain_s=1.0)
    )
    assert config_hash(changed) == config_hash(DEFINITION)
