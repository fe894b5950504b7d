"""A worker withdrew a moment, showed the next one and died before it wrote either down; what its successor does."""

from functools import partial

from agents.desired import BEGUN_MAX, Contact
from agents.intercom import Ambiguous, Known, TryLater
from contracts.commands import Command
from contracts.signals import Scalar
from tests.intercom.scene import EXPIRES_S, activation, shown, withdrawal
from tests.intercom.world import SETTLE_SECONDS, World


def moment(revision: int) -> dict[str, Scalar]:
    """What a contact shows in the moment of that revision; each ends at another instant."""
    return shown(cio_moment_expires_at=EXPIRES_S + revision, lifetime_orders=revision)


def begins(revision: int) -> Command:
    return activation(revision, attributes=moment(revision), expires_ms=(EXPIRES_S + revision) * 1000)


class Successor(World):
    """By its records the contact shows the first moment; what it really shows is `shows`."""

    def __init__(self, shows: dict[str, Scalar] | Exception | None) -> None:
        super().__init__(caught_up=False)
        self.kept.put(
            "id:42",
            Contact(revision=1, settled=1, desired=begins(1), known=Known(intercom_id="a1", attributes=moment(1))),
        )
        self.intercom.shows = shows

    async def read_to_the_end(self) -> None:
        self.courier.caught_up(0)
        await self.after(SETTLE_SECONDS)

    def revisions(self) -> list[int]:
        return [revision for _, revision in self.intercom.calls]


async def test_a_withdrawal_is_not_repeated_where_the_moment_after_it_is_shown_already() -> None:
    world = Successor(shows=moment(3))
    await world.told(withdrawal(2), begins(3))
    assert world.intercom.looks == [(2, "a1", True)]
    await world.read_to_the_end()
    assert world.revisions() == [3]
    assert world.intercom.known == [Known(intercom_id="a1", attributes=None)], "the rest is in doubt, so all is written"
    assert world.said() == [(3, "shown", None)]


async def test_a_withdrawal_that_never_reached_intercom_goes_at_once() -> None:
    flag_alone = shown(cio_moment=None, cio_moment_expires_at=None)
    for shows in (moment(1), shown(), flag_alone, Ambiguous()):
        world = Successor(shows)
        await world.told(withdrawal(2), begins(3))
        assert world.revisions() == [2], shows
        await world.read_to_the_end()
        assert world.revisions() == [2, 3], shows


async def test_a_moment_that_was_told_in_between_is_as_much_newer_as_the_newest() -> None:
    world = Successor(shows=moment(3))
    await world.told(withdrawal(2), begins(3), begins(4))
    await world.read_to_the_end()
    assert world.revisions() == [4]


async def test_a_withdrawal_after_the_moment_that_is_shown_goes() -> None:
    """What is shown was told before the withdrawal, though after another one."""
    world = Successor(shows=moment(3))
    await world.told(withdrawal(2), begins(3), withdrawal(4), begins(5))
    assert world.revisions() == [4]


async def test_a_withdrawal_is_not_repeated_where_no_moment_is_shown() -> None:
    for shows in (withdrawal().attributes, None):
        world = Successor(shows)
        await world.told(withdrawal(2), begins(3))
        assert world.revisions() == []
        await world.read_to_the_end()
        assert world.revisions() == [3]


async def test_a_withdrawal_goes_where_only_a_search_could_have_shown_the_contact() -> None:
    world = Successor(shows=None)
    await world.told(withdrawal(2, external_id=None), activation(3, external_id=None, attributes=moment(3)))
    assert world.revisions() == [2]


async def test_a_withdrawal_goes_where_what_is_shown_after_it_is_over_by_now() -> None:
    for left_ms in (0, 1):
        world = Successor(shows=moment(3))
        ends_ms = world.clock.now_ms() + left_ms
        await world.told(withdrawal(2), activation(3, attributes=moment(3), expires_ms=ends_ms))
        assert world.revisions() == ([2] if left_ms == 0 else [])


async def test_a_look_that_fails_is_made_again_and_the_withdrawal_is_not_lost() -> None:
    world = Successor(shows=TryLater(1.0, "lost", shared=False))
    await world.told(withdrawal(2), begins(3))
    assert world.revisions() == []
    world.intercom.shows = moment(1)
    await world.after(2)
    assert world.revisions() == [2]
    assert len(world.intercom.looks) == 2


async def test_what_is_told_while_the_contact_is_looked_at_wins() -> None:
    world = Successor(shows=moment(3))
    world.intercom.meanwhile = lambda: world.courier.desire(0, withdrawal(4))
    await world.told(withdrawal(2), begins(3))
    assert world.revisions() == [4]


async def test_a_partition_that_is_lost_during_the_look_is_left_alone() -> None:
    for shows in (moment(1), moment(3)):
        world = Successor(shows)
        world.intercom.meanwhile = partial(world.courier.revoke, 0)
        world.courier.desire(0, withdrawal(2))
        before = world.courier.desire(0, begins(3))
        await world.courier.quiet()
        assert world.revisions() == []
        assert world.kept["id:42"] == before


async def test_a_worker_looks_only_where_another_had_the_contact_before_and_once() -> None:
    world = World()
    await world.told(begins(1))
    await world.after(SETTLE_SECONDS)
    await world.told(withdrawal(2), begins(3))
    assert world.intercom.looks == []
    successor = Successor(shows=moment(1))
    await successor.told(withdrawal(2), begins(3))
    await successor.read_to_the_end()
    successor.intercom.answers = [TryLater(1.0, "lost", shared=False)]
    await successor.told(withdrawal(4), begins(5))
    await successor.after(60)
    assert successor.revisions() == [2, 3, 4, 4, 5]
    assert len(successor.intercom.looks) == 1


async def test_what_an_inherited_record_owes_is_looked_at_too() -> None:
    world = Successor(shows=moment(3))
    world.kept.put(
        "id:42",
        Contact(
            revision=3, settled=1, desired=begins(3), owed=withdrawal(2), known=Known(intercom_id="a1"),
            begun=(("high_aov_abandoner", EXPIRES_S + 3),),
        ),
    )  # fmt: skip
    world.courier.inherit(0, "id:42")
    await world.read_to_the_end()
    assert world.revisions() == [3]


async def test_of_more_moments_than_are_remembered_the_withdrawal_goes_once_more() -> None:
    world = Successor(shows=moment(3))
    later = range(4, 4 + BEGUN_MAX)
    await world.told(withdrawal(2), begins(3), *(begins(revision) for revision in later))
    assert world.revisions() == [2]
    kept = world.kept["id:42"]
    assert len(kept.begun) == 0, "nothing is owed any more"


async def test_what_this_worker_delivered_itself_is_in_no_doubt() -> None:
    world = Successor(shows=moment(4))
    await world.told(begins(2))
    await world.read_to_the_end()
    world.intercom.answers = [TryLater(1.0, "lost", shared=False)]
    await world.told(withdrawal(3), begins(4))
    await world.after(60)
    assert world.revisions() == [2, 3, 3, 4]
    assert world.intercom.looks == []


async def test_a_withdrawal_that_was_looked_at_and_failed_is_not_looked_at_again() -> None:
    """What the contact shows then may be this worker's own doing."""
    world = Successor(shows=moment(1))
    world.intercom.answers = [TryLater(1.0, "lost", shared=False)]
    await world.told(withdrawal(2), begins(3))
    world.intercom.shows = moment(3)
    await world.after(2)
    assert world.revisions() == [2, 2]
    assert len(world.intercom.looks) == 1
