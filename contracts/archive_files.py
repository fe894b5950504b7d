"""An archive's files, `<topic>/day=<day>/p<partition>-<first>-<last>.parquet`: each is named after the records that it holds."""

import re
from typing import NamedTuple

ANY_DAY = "day=*"  # of a topic's folder, as a pattern
JUDGED = "judged.json"  # beside the topics' folders: how far production had judged
SUFFIX = ".parquet"
UNFINISHED = (
    ".unfinished"  # in place of the suffix while it is written; who finds one otherwise, finds what a crash left
)
_STEM = re.compile(r"p(\d+)-(\d+)-(\d+)")


class Extent(NamedTuple):
    """The records `[first, last]` of a partition."""

    partition: int
    first: int
    last: int


def name_of(extent: Extent, day: str) -> str:
    """Within the topic's folder. day: of the first record, as 2026-03-02."""
    return f"day={day}/p{extent.partition:04d}-{extent.first:012d}-{extent.last:012d}{SUFFIX}"


def held(name: str, *, suffix: str = SUFFIX) -> Extent | None:
    """What a file of that name, without its folder, holds; None where it is none of an archive."""
    match = _STEM.fullmatch(name.removesuffix(suffix)) if name.endswith(suffix) else None
    return None if match is None else Extent(*(int(number) for number in match.groups()))
