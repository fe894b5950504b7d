"""What the judge tells its neighbours in the worker: by which policy contacts are mended, and who is erased."""

from pathlib import Path

import pytest

from agents.judge import CODEC, Judge
from agents.reliable import Record, Store
from contracts import signals
from contracts.policy import load
from contracts.signals import Erased, Ruled, Signal
from tests.reliable.memory import Local
from tests.streams.histories import POLICY, START_MS, added, stamp


@pytest.fixture
def store() -> Store:
    return Store(0, Local({}), encode=CODEC.encode, decode=CODEC.decode, hidden=frozenset())


def told(judge: Judge, store: Store, *read: Signal) -> None:
    values = [signals.encode(signal) for signal in read]
    list(judge.batch(store, [Record("signals", 0, n, None, value) for n, value in enumerate(values)]))


def test_contacts_are_mended_by_the_policy_in_force_and_by_the_files_elsewhere(store: Store, tmp_path: Path) -> None:
    mending = tmp_path / "mending.yaml"
    shipped = Path(__file__).parents[2] / "policies" / "skincare.yaml"
    mending.write_text(shipped.read_text() + "\nmend: true\n")
    judge = Judge(POLICY)
    judge.assigned(store, 0, None)
    assert not judge.mends(0)
    told(judge, store, Ruled(policy=load(mending).hash, text=mending.read_text(), at_ms=START_MS))
    assert not judge.mends(0), "log time has not come so far"
    told(judge, store, signals.Marked(source="s/0", at_ms=START_MS + 1, of=1, outcomes=False))
    assert judge.mends(0) and not judge.mends(1)
    judge.revoked(0)
    assert not judge.mends(0)


def test_who_is_erased_is_told_for_the_partitions_that_are_judged_here(store: Store) -> None:
    judge = Judge(POLICY)
    judge.assigned(store, 0, None)
    gone = Erased(**{**stamp("3h"), "id": "gone"})  # type: ignore[arg-type]
    told(judge, store, added("serum", 200, "0m"))
    assert not judge.erased(0, gone.person)
    told(judge, store, added("serum", 200, "0m"), gone)
    assert judge.erased(0, gone.person) and not judge.erased(1, gone.person)
    judge.revoked(0)
    assert not judge.erased(0, gone.person)
