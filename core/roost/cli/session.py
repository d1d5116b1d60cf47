"""`Session`: one invocation's data directory, workspace, terminal and daemon."""

from __future__ import annotations

from roost.client.wire import Wire
from roost.settings.locations import socket_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from roost.cli.terminal import Terminal

    OpenScreen = Callable[[str, str | None, bool], int]
    """Opens the screen on a data directory, with a workspace or all, read-only or not."""


class Session:
    """What a verb has at hand.

    Attributes:
        data_dir: absolute path of the data directory.
        workspace: the workspace given with ``-w``.
        is_json: whether results and errors are JSON on stdout.
        is_read_only: whether verbs that change something are refused.
        environ: the caller's environment.
        terminal: where results and notes go.
    """

    def __init__(
        self,
        *,
        data_dir: str,
        workspace: str | None,
        is_json: bool,
        is_read_only: bool,
        environ: Mapping[str, str],
        terminal: Terminal,
    ) -> None:
        self.data_dir = data_dir
        self.workspace = workspace
        self.is_json = is_json
        self.is_read_only = is_read_only
        self.environ = environ
        self.terminal = terminal

    def reader(self) -> Wire:
        """Return the daemon for reading. Reading never starts one: that would start its apps."""
        return Wire(socket_path(self.data_dir))

    def actor(self) -> Wire:
        """Return the daemon for changing something, after starting it when none runs.

        Raises:
            Refused: the session is read-only.
            DaemonStartFailed: no daemon answers and none could be started.
        """
        self.check_may_act()
        from roost.client.discovery import ensure_daemon

        return Wire(ensure_daemon(self.data_dir))

    def check_may_act(self) -> None:
        """Raise `Refused` when the session is read-only."""
        if self.is_read_only:
            from roost.errors import Refused

            raise Refused("nothing was done: --read-only allows only what reads; leave it out")
