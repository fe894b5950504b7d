"""Courier, adapter and rehearsed Intercom together: whatever gets lost on the way, they end in agreement."""

import random

import pytest
from openapi_core import OpenAPI

from contracts.commands import Command
from rehearsal.intercom_faults import ARRIVED, NOT_ARRIVED, Fault
from tests.intercom.scene import FLAG, Scene, activation, shown, withdrawal
from tests.intercom.world import World, standing


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_under_a_mix_of_faults_intercom_ends_up_showing_the_newest_command(api: OpenAPI, seed: int) -> None:
    print(f"seed {seed}")
    dice = random.Random(seed)
    async with Scene(api, requests_per_window=60) as scene:
        await scene.intercom.register(scene.manifest)
        world = standing(scene)
        newest = await play(world, scene, dice)
        scene.faults = []
        for _ in range(60):
            await world.after(61)
        assert {*scene.faulty.served} >= {*ARRIVED, *NOT_ARRIVED}, "a fault never happened: the run is void"
        for person, command in newest.items():
            record = world.kept[person]
            assert not record.pending
            contact = scene.workspace.by_external_id(command.external_id or "")
            custom = contact.custom if contact is not None else {}
            for name, value in command.attributes.items():
                assert custom.get(name) == value or (not value and name not in custom), (person, name)
            if contact is not None:
                assert len(contact.events) <= 1, "one anchor, one event"
        ids = [outcome.id for outcome in world.outcomes]
        assert len(ids) == len(set(ids))


async def play(world: World, scene: Scene, dice: random.Random) -> dict[str, Command]:
    """Two hundred commands to twelve people under faults; returns the newest of each person."""
    words: tuple[Fault, ...] = (*ARRIVED, *NOT_ARRIVED)
    newest: dict[str, Command] = {}
    for _ in range(200):
        person = f"id:{dice.randrange(12)}"
        revision = newest[person].revision + 1 if person in newest else 1
        command = dice.choice([activation, withdrawal])(revision, person)
        newest[person] = command
        scene.faults = [dice.choice(words) if dice.random() < 0.3 else None for _ in range(12)]
        world.courier.desire(0, command)
        await world.courier.quiet()
        await world.after(dice.choice([0, 1, 6, 20]))
    return newest


async def test_nothing_that_is_shown_is_written_twice(scene: Scene) -> None:
    world = standing(scene)
    await world.told(activation())
    await world.after(5)
    await world.told(activation(2), withdrawal(3, attributes=shown()))
    await world.after(60)
    assert scene.contact().writes == 1
    assert len(scene.contact().events) == 1
    assert scene.contact().custom[FLAG] is True
    assert world.said() == [(1, "shown", None), (3, "shown", None)]
