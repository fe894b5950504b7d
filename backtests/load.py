"""Load: how many moments an hour the agents would see begin, over all hours of the history, the quiet ones included."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from contracts.instant import HOUR_MS, to_rfc3339

BUSY_SHARE = 0.95  # the hour that only one in twenty exceeds: what a shift is planned for


def load(activations_ms: Iterable[int], *, from_ms: int, to_ms: int) -> dict[str, Any]:
    """per_hour: mean, p95 and most of the hours that `[from_ms, to_ms]` touches; busiest: the hour with the most."""
    counts = Counter(at_ms // HOUR_MS for at_ms in activations_ms)
    hours = to_ms // HOUR_MS - from_ms // HOUR_MS + 1
    ordered = sorted(counts.values(), reverse=True)
    rank = hours - math.ceil(BUSY_SHARE * hours)  # so many hours are above it
    busiest = min((-count, hour) for hour, count in counts.items())[1] if counts else None
    return {
        "activations": counts.total(),
        "hours": hours,
        "per_hour_mean": round(counts.total() / hours, 2),
        "per_hour_p95": ordered[rank] if rank < len(ordered) else 0,
        "per_hour_max": ordered[0] if ordered else 0,
        "busiest": to_rfc3339(busiest * HOUR_MS) if busiest is not None else None,
    }
