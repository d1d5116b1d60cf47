"""The modal screens: questions, menus, help, credentials, tool calls, the doctor's findings
and why a bundle is down.

They ask by dismissing with a value or by posting a message, and never call the engine.
"""

from __future__ import annotations

from roost_tui.modals.action_menu import ActionMenu
from roost_tui.modals.call_tool import CallToolModal
from roost_tui.modals.confirm import ConfirmModal
from roost_tui.modals.credentials import CredentialsModal
from roost_tui.modals.doctor import DoctorModal
from roost_tui.modals.help import HelpModal
from roost_tui.modals.messages import MessagesModal
from roost_tui.modals.picker import PickerModal
from roost_tui.modals.typed_answer import ReasonModal, TypeNameModal
from roost_tui.modals.why import WhyModal

__all__ = [
    "ActionMenu",
    "CallToolModal",
    "ConfirmModal",
    "CredentialsModal",
    "DoctorModal",
    "HelpModal",
    "MessagesModal",
    "PickerModal",
    "ReasonModal",
    "TypeNameModal",
    "WhyModal",
]
