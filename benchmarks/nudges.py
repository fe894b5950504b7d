"""How many nudges reach Intercom after a purchase, and by how much: purchases from 50 ms before the send to 5 s after it.

Each pair is an activation and a purchase of one person, told to the real courier and the real adapter in front of the rehearsal
Intercom, in simulated time. What the purchase needs from its acceptance to the courier is given, one row for each; calls take
what recorded calls took (0.11 s in the middle, 0.26 s at most for 95 in 100).

    python -m benchmarks.nudges [--pairs 10200] [--seed 1]
"""

import argparse
import asyncio
import json
import random
import statistics
from typing import NamedTuple

import httpx

from agents.courier import Courier
from agents.desired import Contact
from agents.intercom import Intercom
from benchmarks.table import Table, plain
from contracts.commands import Command, ContactEvent
from contracts.fields import manifest
from contracts.signals import Conversed, Delivered, Scalar
from rehearsal.intercom import intercom_app
from rehearsal.intercom_workspace import Workspace
from rehearsal.virtual_time import LoopClock, run

PAIRS = 10_200  # in all rows together
PATHS_MS = (50, 250, 1000)  # from the acceptance of a purchase to the courier
ORIGIN_MS = 1_772_442_000_000  # 2026-03-02T09:00:00Z
SETTLE_SECONDS = 5.0
EARLIEST_SECONDS, LATEST_SECONDS = -0.05, 5.0  # of the purchase, around the send
PAIRS_PER_SECOND = 10
CALL_SECONDS, CALL_SPREAD = 0.11, 0.52  # the middle, and the logarithm's deviation: 0.26 s for 95 in 100
ENDS_MS = ORIGIN_MS + 1_000 * 3_600_000
FLAG = "cio_segment_high_aov_abandoner"


class Race(NamedTuple):
    """Milliseconds. late_ms: of each nudge, after the purchase. stood_ms: until it was taken back, after the purchase."""

    stopped: int
    late_ms: list[int]
    stood_ms: list[int]
    standing: int


class Slow(httpx.AsyncBaseTransport):
    """Half of a call's time before Intercom has it, half after. nudged, cleared: when the last such write arrived."""

    def __init__(self, server: httpx.AsyncBaseTransport, clock: LoopClock, seed: int) -> None:
        self.nudged: dict[str, list[int]] = {}
        self.cleared: dict[str, int] = {}
        self.owners: dict[str, str] = {}
        self._server = server
        self._clock = clock
        self._rng = random.Random(seed)  # noqa: S311  # a benchmark's, repeatable

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        whole = CALL_SECONDS * self._rng.lognormvariate(0, CALL_SPREAD)
        await asyncio.sleep(whole / 2)
        body = json.loads(await request.aread() or b"{}")
        answer = await self._server.handle_async_request(request)
        content = json.loads(await answer.aread() or b"{}")
        if request.method == "POST" and request.url.path == "/contacts":
            self.owners[content["id"]] = body["external_id"]
        person = body.get("external_id") or self.owners.get(body.get("id") or request.url.path.rpartition("/")[2], "")
        flag = body.get("custom_attributes", {}).get(FLAG)
        if flag is True or request.url.path == "/events":
            self.nudged.setdefault(person, []).append(self._clock.now_ms())
        elif flag is False:
            self.cleared[person] = self._clock.now_ms()
        await asyncio.sleep(whole / 2)
        return answer


class Records(dict[str, Contact]):
    def put(self, person: str, contact: Contact) -> None:
        self[person] = contact


def measure(pairs: int = PAIRS, seed: int = 1) -> list[Table]:
    rows = []
    for path_ms in PATHS_MS:
        race = raced(pairs // len(PATHS_MS), path_ms, seed)
        if race.standing or race.stopped + len(race.late_ms) == 0:
            raise SystemExit(f"{race.standing} nudges stand at the end, {race.stopped} were stopped")
        late, stood = sorted(race.late_ms) or [0], sorted(race.stood_ms) or [0]
        rows.append([
            f"{path_ms}", f"{race.stopped:,}", f"{len(race.late_ms):,}", f"{statistics.median(late):,.0f}", f"{late[-1]:,}",
            f"{statistics.median(stood):,.0f}", f"{stood[-1]:,}",
        ])  # fmt: skip
    conditions = (
        f"Seed {seed}, {pairs:,} pairs, a third for each row, in simulated time; purchases from 50 ms before the send to 5 s "
        f"after it, settle {SETTLE_SECONDS:g} s; late and stood are counted from the acceptance of the purchase"
    )
    columns = [
        "accepted -> courier ms",
        "never sent",
        "nudges after it",
        "late p50 ms",
        "late max",
        "stood p50 ms",
        "stood max",
    ]
    return [Table("nudges", conditions, columns, rows)]


def raced(pairs: int, path_ms: int, seed: int) -> Race:
    async def story() -> Race:
        clock = LoopClock(ORIGIN_MS)
        rng = random.Random(seed)  # noqa: S311  # a benchmark's, repeatable
        workspace = Workspace(now_ms=clock.now_ms, search_lag_ms=0, attributes=manifest(("high_aov_abandoner",)))
        slow = Slow(httpx.ASGITransport(app=intercom_app(workspace, requests_per_window=10**6)), clock, seed)
        intercom = Intercom(base_url="http://intercom.test", token="t", now_ms=clock.now_ms, transport=slow)  # noqa: S106  # any
        await intercom.register(manifest(("high_aov_abandoner",)))
        courier = Courier(intercom=intercom, clock=clock, settle_seconds=SETTLE_SECONDS, deliver=heard)
        courier.assign(0, Records())
        courier.caught_up(0)
        working = asyncio.create_task(courier.run())
        bought = await asyncio.gather(*(pair(courier, clock, rng, number, path_ms) for number in range(pairs)))
        while courier.pending_count:  # noqa: ASYNC110  # the loop's time costs nothing
            await asyncio.sleep(1)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await intercom.close()
        standing = sum(contact.custom.get(FLAG) is True for contact in workspace.contacts.values())
        return told(dict(bought), slow, standing)

    return run(story)


def told(bought: dict[str, int], slow: Slow, standing: int) -> Race:
    last = {person: slow.nudged[person][-1] for person in bought if person in slow.nudged}
    late = [at_ms - bought[person] for person, at_ms in last.items() if at_ms > bought[person]]
    stood = [slow.cleared[person] - bought[person] for person in last if person in slow.cleared]
    return Race(len(bought) - len(last), late, stood, standing)


async def heard(outcome: Delivered | Conversed) -> None:
    """The log is not looked at here."""


async def pair(courier: Courier, clock: LoopClock, rng: random.Random, number: int, path_ms: int) -> tuple[str, int]:
    """(person, when the purchase was accepted)."""
    begins, offset = number / PAIRS_PER_SECOND, rng.uniform(EARLIEST_SECONDS, LATEST_SECONDS)
    await asyncio.sleep(begins)
    courier.desire(0, command(number, 1, clock.now_ms(), shows=True))
    await asyncio.sleep(SETTLE_SECONDS + offset)
    accepted_ms = clock.now_ms()
    await asyncio.sleep(path_ms / 1000)
    courier.desire(0, command(number, 2, accepted_ms, shows=False))
    return str(number), accepted_ms


def command(number: int, revision: int, at_ms: int, *, shows: bool) -> Command:
    attributes: dict[str, Scalar] = {FLAG: shows, "last_cart_value": 180.0 if shows else 0.0}
    attributes |= {"cio_moment": "high_aov_abandoner" if shows else None}
    event = ContactEvent("cart_abandoned_high_aov", at_ms // 1000, {}) if shows else None
    return Command(
        person=f"id:{number}", revision=revision, attributes=attributes, decided_ms=at_ms, external_id=str(number), create=shows,
        activates=shows, expires_ms=ENDS_MS if shows else None, event=event,
    )  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pairs", type=int, default=PAIRS)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    for table in measure(asked.pairs, asked.seed):
        print(plain(table))


if __name__ == "__main__":
    main()
