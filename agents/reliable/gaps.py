"""Records that Kafka no longer has, or has again from the start: told loudly, because what was in them is lost to the state.

Promise: pure. None where everything is there, else a sentence that says which records and what to do.
"""

from collections.abc import Sequence

from agents.reliable.record import Record

REMEDY = "to go on without what was in them, start once with CONCIERGE_ALLOW_GAPS=true"


def at_start(source: str, committed: int | None, begin: int, end: int) -> str | None:
    """Between the committed next offset and what the partition holds: begin (the first there) up to end (the next written).

    A partition without a commit starts at what it has, and misses nothing that was ever begun.
    """
    if committed is None or begin <= committed <= end:
        return None
    if committed > end:
        return (
            f"{source} ends at {end} and {committed} was committed: the topic was made anew; "
            f"give the worker a new name and data directory, or {REMEDY}"
        )
    return (
        f"records {committed} to {begin - 1} of {source} are gone (retention passed, or they were deleted); "
        f"lengthen the retention; {REMEDY}"
    )


def within(source: str, expected: int, records: Sequence[Record]) -> str | None:
    """Between the next offset that is expected and the records, which are in order and not before it."""
    if not records or records[-1].offset - expected == len(records) - 1:
        return None
    for record in records:
        if record.offset != expected:
            return (
                f"records {expected} to {record.offset - 1} of {source} are missing (retention, compaction or a "
                f"transactional producer); the topic must keep every record; {REMEDY}"
            )
        expected += 1
    raise AssertionError("offsets are in order and unique")
