"""The table of moves."""

import pytest

from roost.models import SlotState
from roost.supervision.states import ALLOWED, IllegalMove, check_move


def test_every_state_has_a_row_and_a_way_back_to_stopped() -> None:
    assert set(ALLOWED) == set(SlotState)
    for state in SlotState:
        reachable, todo = {state}, [state]
        while todo:
            for after in ALLOWED[todo.pop()] - reachable:
                reachable.add(after)
                todo.append(after)
        assert SlotState.STOPPED in reachable


def test_only_a_start_leads_to_running() -> None:
    leading = {state for state, after in ALLOWED.items() if SlotState.RUNNING in after}
    assert leading == {SlotState.STARTING}


def test_stopping_is_reached_only_from_a_live_process() -> None:
    leading = {state for state, after in ALLOWED.items() if SlotState.STOPPING in after}
    assert leading == {SlotState.RUNNING, SlotState.STARTING}


def test_a_move_outside_the_table_is_refused() -> None:
    with pytest.raises(IllegalMove):
        check_move(SlotState.STOPPED, SlotState.RUNNING)
