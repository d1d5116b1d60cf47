"""`check_strategy`: a bundle that cannot run twice for a moment is not given a handover."""

from __future__ import annotations

from roost.errors import BadInput
from roost.models import Definition, RespawnStrategy
from roost.models.handover import handover_obstacle


def check_strategy(name: str, definition: Definition) -> None:
    """Refuse a handover where two processes of the bundle cannot be there at a time.

    Raises:
        BadInput: the definition asks for one all the same.
    """
    obstacle = handover_obstacle(definition)
    if definition.settings.strategy is RespawnStrategy.HANDOVER and obstacle is not None:
        raise BadInput(
            f"{name!r} cannot be handed over: {obstacle}; take the strategy 'replace' instead",
            bundle=name,
        )
