"""The order of a commit, step by step: asked, outputs, changelog, local state, offsets; none after a failure."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from agents.reliable import Codec, Output, Record, Store, consumer, sending
from agents.reliable.record import Plain
from agents.reliable.work import CONFIRMED_SHARE, Agent, Span, Work

SOURCE = TP("in", 0)
SESSION_SECONDS = 10.0
WHOLE = ["asked", "outputs", "changelog", "local", "committed"]


class Member:
    """A worker with one changed record, one output on its way and a position to commit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps, self.said = list[str](), list[str]()
        self.fails: str | None = None
        self.guarded = False
        self.offsets = list[Mapping[TP, int]]()
        self.data = SimpleNamespace(offset_key=b"offset", _db_for_partition=lambda number: self)
        self.work = Work(self.said.append, gaps_allowed=False)
        table = SimpleNamespace(data=self.data, changelog_topic_name="changelog")
        self.work.agents["in"] = Agent("in", Plain(self._nothing), table, Codec(encode=bytes, decode=bytes))
        self.work.assign({SOURCE: Span(5, 0, 9)})
        self.output: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.consumer: Any = object.__new__(consumer.consumer_class(self.work))
        self.consumer._committed_offset = {SOURCE: 5}
        self.consumer._thread = SimpleNamespace(commit=self._asked, assignment=lambda: {SOURCE})
        self.consumer._commit_offsets = self._committed
        self.consumer.app = SimpleNamespace(
            rebalancing=False, producer=SimpleNamespace(_ensure_producer=lambda: None), client_only=False,
            tables=SimpleNamespace(changelog_topics={"changelog"}), conf=SimpleNamespace(broker_session_timeout=SESSION_SECONDS),
        )  # fmt: skip
        monkeypatch.setattr(sending, "guard", self._guarded)
        monkeypatch.setattr(sending, "write", self._changelog)

    def change(self) -> None:
        """As a batch does: state, position and outputs together."""
        store = self.work.stores[SOURCE]
        assert store is not None
        store.put(b"k", b"v")
        self.work.positions[SOURCE] = 7
        self.work.outputs.append(self.output)

    async def commit(self) -> bool:
        return bool(await self.consumer.force_commit())

    def acknowledge(self) -> None:
        if not self.output.done():
            self.steps.append("outputs")
            if self.fails == "outputs":
                self.output.set_exception(OSError("no"))
            else:
                self.output.set_result(None)

    def get(self, key: bytes) -> bytes | None:
        return None

    def write(self, batch: object) -> None:
        self._step("local")

    def _nothing(self, store: Store | None, found: Sequence[Record]) -> list[Output]:
        return []

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if self.fails == name:
            raise OSError("no")

    def _guarded(self, producer: object, topics: object, hold: object) -> None:
        assert topics == {"changelog"} and hold == self.consumer._hold
        self.guarded = True

    async def _changelog(self, producer: object, place: object, records: object) -> int:
        assert self.guarded
        self._step("changelog")
        return 41

    async def _asked(self, offsets: Mapping[TP, int]) -> bool:
        return self._answered("asked", offsets)

    async def _committed(self, offsets: Mapping[TP, int], start_new_transaction: bool) -> bool:
        return self._answered("committed", offsets)

    def _answered(self, name: str, offsets: Mapping[TP, int]) -> bool:
        self.steps.append(name)
        self.offsets.append(offsets)
        return self.fails != name


@pytest.fixture
async def member(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Member]:
    yield Member(monkeypatch)


async def committing(member: Member) -> None:
    """A commit whose outputs are acknowledged once nothing else goes on without that; whatever it raises is left."""
    task = asyncio.create_task(member.commit())
    for _ in range(20):
        await asyncio.sleep(0)
    if not task.done():
        member.acknowledge()
    await asyncio.gather(task, return_exceptions=True)


async def test_each_step_waits_for_the_one_before(member: Member) -> None:
    member.change()
    await committing(member)
    assert member.steps == WHOLE and member.said == []
    assert member.offsets == [{SOURCE: 5}, {SOURCE: 7}]


@pytest.mark.parametrize("step", WHOLE)
async def test_a_step_that_fails_ends_the_process_and_is_the_last(member: Member, step: str) -> None:
    member.fails = step
    member.change()
    await committing(member)
    assert member.steps == WHOLE[: WHOLE.index(step) + 1]
    wanted = "the broker refused a commit" if step == "committed" else "a commit could not make"
    assert len(member.said) == 1 and wanted in member.said[0]


async def test_a_flush_that_changes_no_state_asks_nobody_and_still_waits_for_its_outputs(member: Member) -> None:
    member.work.positions[SOURCE] = 7
    member.work.outputs.append(member.output)
    await committing(member)
    assert member.steps == ["outputs", "committed"]


async def test_in_a_rebalance_nothing_is_committed_but_by_the_revocation_itself(member: Member) -> None:
    member.consumer.app.rebalancing, member.consumer._commit_fut, member.consumer.loop = True, None, None
    member.change()
    member.acknowledge()
    assert not await member.consumer.commit()
    assert member.steps == ["outputs"]
    member.consumer._final = True
    assert await member.consumer.commit()
    assert member.steps == ["outputs", "asked", "changelog", "local", "committed"]


async def test_a_changelog_is_sent_on_the_strength_of_a_young_answer_alone(member: Member) -> None:
    member.work.confirmed_at = time.monotonic() - SESSION_SECONDS * CONFIRMED_SHARE / 2
    await member.consumer._hold()
    assert member.steps == []
    member.work.confirmed_at = time.monotonic() - SESSION_SECONDS * CONFIRMED_SHARE
    await member.consumer._hold()
    assert member.steps == ["asked"] and member.said == []


async def test_who_is_no_member_any_more_sends_no_changelog_and_ends(member: Member) -> None:
    member.fails = "asked"
    with pytest.raises(RuntimeError, match="gone on"):
        await member.consumer._hold()
    assert len(member.said) == 1 and "a changelog may not be written" in member.said[0]


async def test_who_holds_nothing_any_more_sends_no_changelog_and_ends(member: Member) -> None:
    member.work.stores.clear()
    with pytest.raises(RuntimeError, match="nothing is held"):
        await member.consumer._hold()
    assert len(member.said) == 1 and member.steps == []
