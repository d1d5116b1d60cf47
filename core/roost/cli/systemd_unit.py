"""The systemd user unit of one data directory's daemon."""

from __future__ import annotations

from math import ceil

WATCHDOG_S = 30
"""Seconds without a sign of life after which systemd takes the daemon for hung; it gives one every
half of that."""

STOP_SLACK_S = 15
"""Seconds beyond the daemon's own deadline, so that it is the daemon that ends a late shutdown."""

FINAL_STATUSES = (4, 70)
"""Another daemon owns the directory; a shutdown was forced. Starting again would mend neither."""

_TEMPLATE = """\
# Roost as a service of this user. Install it with
#   roost serve --unit > ~/.config/systemd/user/roost.service
#   systemctl --user daemon-reload && systemctl --user enable --now roost
# and let it run while nobody is logged in with `loginctl enable-linger`.
# Settings belong into settings.toml in the data directory, never into this file.

[Unit]
Description=Roost, the control plane for apps
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
{path}\
Restart=on-failure
RestartSec=2
RestartPreventExitStatus={final}
WatchdogSec={watchdog}
# The daemon ends its bundles itself, within its own deadline.
KillMode=mixed
TimeoutStopSec={stop}
UMask=0077

[Install]
WantedBy=default.target
"""


def unit_text(*, program: str, data_dir: str, search_path: str, shutdown_s: float) -> str:
    """Return the unit file.

    Args:
        program: absolute path of the Python that has Roost.
        data_dir: absolute path of the data directory.
        search_path: the PATH that bundles are to have.
        shutdown_s: seconds the daemon gives its own shutdown.

    Raises:
        BadInput: a path holds what a unit file cannot.
    """
    words = (program, "-m", "roost.daemon", "--data-dir", data_dir, "--foreground")
    return _TEMPLATE.format(
        command=" ".join(map(quoted, words)).replace("$", "$$"),
        path=_path_lines(search_path) if search_path else "",
        final=" ".join(map(str, FINAL_STATUSES)),
        watchdog=WATCHDOG_S,
        stop=ceil(shutdown_s) + STOP_SLACK_S,
    )


def _path_lines(search_path: str) -> str:
    return (
        "# Where bundles find node, uv and the like: as in the shell that wrote this file.\n"
        f"Environment={quoted(f'PATH={search_path}')}\n"
    )


def quoted(word: str) -> str:
    """Return a word as systemd.syntax(7) reads it back.

    Raises:
        BadInput: it holds a line break or another control character.
    """
    if any(ord(char) < 32 or ord(char) == 127 for char in word):
        from roost.errors import BadInput

        raise BadInput(f"{word!r} holds a control character; a unit file cannot name it")
    word = word.replace("%", "%%")
    if word and all(char.isalnum() or char in "/._-=:+,@%" for char in word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
