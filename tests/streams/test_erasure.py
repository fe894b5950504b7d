"""Who is erased, as soon as the signal was read."""

from contracts.signals import Claimed, Erased
from tests.streams.histories import ME, Run, added, stamp


def test_whoever_is_to_be_erased_counts_as_erased_at_once_under_every_key() -> None:
    gone = Erased(**{**stamp("3h"), "id": "gone"})  # type: ignore[arg-type]
    claim = Claimed(owner=ME, **{**stamp("1h", "email:me@x.org"), "id": "claim"})  # type: ignore[arg-type]
    run = Run().play([added("serum", 200, "0m"), claim])
    assert not any(run.partition.erased(key) for key in (ME, "email:me@x.org", "id:nobody"))
    run.take(gone)
    waiting = run.partition.state(ME)
    assert waiting is not None and not waiting.erased, "log time has not reached it"
    assert run.partition.erased(ME)
    run.play([], until="4h")
    settled = run.partition.state(ME)
    assert settled is not None and settled.erased
    assert run.partition.erased(ME) and run.partition.erased("email:me@x.org")
