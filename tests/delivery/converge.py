"""One seeded run to its end: played, compared, held and compared again."""

import asyncio
from typing import NamedTuple

from rehearsal import virtual_time
from tests.delivery import plan, verdict
from tests.delivery.world import Meddle, World

HOLD_SECONDS = 180  # longer than any pause between two attempts
CLASSES = {
    "429 with a reset header": ("429",), "5xx": ("500", "502", "503", "504", "broken_after"),
    "timeout": ("lost_request", "lost_answer"), "connection reset": ("reset", "refused_connection"),
    "half answer": ("half_answer",), "409 live": ("409 live",), "409 archived": ("409 archived",),
    "merged contact": ("merged",), "deleted contact": ("deleted",), "unknown attribute": ("unknown attribute",),
    "ambiguous e-mail": ("ambiguous",), "refused event": ("event_server_error",),
    "conversation not heard of": ("conversation read",),
}  # fmt: skip


class Report(NamedTuple):
    """served: by class of fault. wrong: sentences, empty where the run holds. void: classes that were served too seldom."""

    commands: int
    people: int
    requests: int
    seconds: float
    served: dict[str, int]
    outcomes: dict[str, int]
    restarts: int
    wrong: list[str]
    void: list[str]

    @property
    def held(self) -> bool:
        return not self.wrong and not self.void


def converge(*, commands: int, seed: int, served_min: int, restarts: int, meddle: Meddle | None = None) -> Report:
    """commands: at least so many are told. served_min: of each class of fault, or the run is void."""

    async def story() -> Report:
        world = World(plan.draw(commands, seed), seed=seed, restarts=restarts, meddle=meddle)
        await world.play()
        wrong = verdict.compare(world)
        requests = world.wire.requests
        await asyncio.sleep(HOLD_SECONDS)
        wrong += [f"after the hold: {sentence}" for sentence in verdict.compare(world)]
        if world.wire.requests != requests:
            wrong.append("requests were made after everything had ended")
        counted = world.wire.served + world.struck + world.reasons
        served = {name: sum(counted[kind] for kind in kinds) for name, kinds in CLASSES.items()}
        return Report(
            world.told, len(world.shoppers), requests, asyncio.get_running_loop().time(), served,
            dict(world.reasons.most_common()), world.struck["restart"], world.wire.violations + wrong,
            [name for name, count in served.items() if count < served_min],
        )  # fmt: skip

    return virtual_time.run(story)
