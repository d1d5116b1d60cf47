"""What a client can ask of the engine, and the one table of actions."""

from roost.contract.actions import ACTIONS, Action, ActionScope, Risk, Role, action
from roost.contract.engine_api import EngineAPI

__all__ = ["ACTIONS", "Action", "ActionScope", "EngineAPI", "Risk", "Role", "action"]
