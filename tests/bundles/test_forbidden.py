"""Variables that no definition passes, whoever wrote it."""

import pytest

from roost.bundles.environment import _ALLOWED
from roost.bundles.forbidden import refuse_forbidden, why_forbidden
from roost.bundles.literals import take_apart
from roost.errors import BadConfigFile, ForbiddenVariable

REFUSED = {
    "LD_PRELOAD": "/tmp/x.so",
    "LD_LIBRARY_PATH": "/tmp",
    "LD_AUDIT": "/tmp/x.so",
    "DYLD_INSERT_LIBRARIES": "/tmp/x.dylib",
    "DYLD_LIBRARY_PATH": "/tmp",
    "GCONV_PATH": "/tmp",
    "BASH_ENV": "/tmp/x.sh",
    "PYTHONSTARTUP": "/tmp/x.py",
    "PERL5OPT": "-Mx",
    "RUBYOPT": "-rx",
    "ROOST_MARK": "other/one",
    "ROOST_VAULT_KEY": "x",
    "NOTIFY_SOCKET": "/run/systemd/notify",
    "WATCHDOG_USEC": "1",
    "LISTEN_FDS": "3",
    "NODE_OPTIONS": "--max-old-space-size=64 --require=/tmp/x.js",
    "JAVA_TOOL_OPTIONS": "-Xmx64m -javaagent:/tmp/x.jar",
}

KEPT = {
    "NODE_OPTIONS": "--max-old-space-size=512 --no-warnings --report-on-fatalerror",
    "JAVA_TOOL_OPTIONS": "-Xmx512m",
    "PYTHONPATH": "/srv/lib",
    "NODE_PATH": "/srv/lib",
    "PYTHONUNBUFFERED": "1",
    "ENV": "production",
    "LD_SDK_KEY": "sdk-1",  # of a service with these initials
    "PATH": "/srv/bin",
    "HTTPS_PROXY": "http://proxy",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_run_code_or_speak_for_the_daemon_is_refused_by_name(name: str) -> None:
    with pytest.raises(ForbiddenVariable) as refused:
        refuse_forbidden(name, REFUSED[name])
    assert name in refused.value.message and refused.value.details == {"variable": name}
    assert "leave it out" in refused.value.message or "into the command" in refused.value.message
    assert "/tmp/x" not in refused.value.message, "a value may be a secret"


@pytest.mark.parametrize("name", KEPT)
def test_what_servers_need_is_kept(name: str) -> None:
    assert why_forbidden(name, KEPT[name]) is None


@pytest.mark.parametrize(
    "options",
    [
        "-r ./x.js",
        '"-r" ./x.js',
        "--import=x",
        "--experimental-loader x",
        "--experimental_loader x",
    ],
)
def test_every_spelling_of_an_option_of_node_that_loads_code_is_found(options: str) -> None:
    assert why_forbidden("NODE_OPTIONS", f"--no-warnings {options}") is not None


def test_nothing_of_the_daemons_environment_that_children_see_is_forbidden() -> None:
    assert [name for name in _ALLOWED if why_forbidden(name, "x") is not None] == []


def test_an_imported_configuration_that_brings_a_loader_is_refused_before_anything_is_kept() -> (
    None
):
    with pytest.raises(ForbiddenVariable, match="LD_PRELOAD"):
        take_apart({"API_KEY": "x", "LD_PRELOAD": "/tmp/x.so"}, BadConfigFile)
