"""`CallToolModal`: choose a tool, fill in its arguments, ask for the call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from roost.models import BundleView, CallRequest, ToolView
from roost_tui.modals.fill_in import FillInModal


class CallToolModal(FillInModal):
    """Call one of a bundle's tools; the app opens the run and closes the modal.

    Args:
        bundle: The bundle that offers the tools.
        tools: The tools, in the order to list them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "call", "call", id="call.call", tooltip="Call the tool"),
        Binding("escape", "back", "tools", id="call.back", tooltip="Back to the tools"),
        Binding("escape", "close", "close", id="modal.close", tooltip="Close without a call"),
    ]

    class CallRequested(Message):
        """The operator wants this call. Its representation holds no argument."""

        def __init__(self, workspace: str, bundle: str, request: CallRequest) -> None:
            super().__init__()
            self.workspace = workspace
            self.bundle = bundle
            self.request = request

    def __init__(self, bundle: BundleView, tools: Sequence[ToolView]) -> None:
        super().__init__(
            f"Call a tool of {bundle.workspace}/{bundle.name}",
            tools,
            noun="tool",
            nothing=f"{bundle.name} offers no tools.",
        )
        self._bundle = bundle

    def asked(self, tool: ToolView, arguments: dict[str, Any]) -> Message:
        """Return the message that asks for the call."""
        request = CallRequest(tool=tool.name, arguments=arguments)
        return self.CallRequested(self._bundle.workspace, self._bundle.name, request)
