"""How many requests a moment costs, which `benchmarks/scale.py` computes with."""

import pytest

from agents.intercom import Known
from benchmarks.scale import LARGEST
from contracts.commands import ContactEvent
from tests.intercom.scene import START_MS, Scene, activation, withdrawal


@pytest.mark.parametrize(("there", "first"), [(False, 3), (True, 4)], ids=["a new contact", "one that is there"])
async def test_a_beginning_costs_three_or_four_requests_and_an_end_one(scene: Scene, there: bool, first: int) -> None:
    if there:
        made = await scene.intercom.show(activation(), Known())
        await scene.intercom.show(withdrawal(), made)
    known, costs = Known(), []
    newer = ContactEvent("cart_abandoned_high_aov", START_MS // 1000, {})
    for command in (activation(3), withdrawal(4), activation(5, event=newer), withdrawal(6)):
        before = len(scene.calls())
        known = await scene.intercom.show(command, known, ask=command.activates)
        costs.append(len(scene.calls()) - before)
    assert costs == [first, 1, 3, 1]
    assert (LARGEST.beginning_requests, LARGEST.ending_requests) == ((4 + 3) / 2, 1)
