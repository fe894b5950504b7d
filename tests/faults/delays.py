"""How late Intercom showed what it should not have begun, and how long an end took: by the wall, from what it was told when."""

from collections import defaultdict
from typing import NamedTuple

from tests.faults.evidence import Evidence
from tests.faults.sender import Acknowledged


class Delays(NamedTuple):
    """In ms of the wall. nudge: by how much a beginning was shown after a purchase that forbids it was acknowledged, the
    worst; 0 where none was. ends: from the acknowledged purchase, be it before or after the beginning was shown, to
    Intercom showing the end."""

    nudge_ms: int
    nudges: int
    ends: list[int]


def delays(found: Evidence) -> Delays:
    """Of the cart audience, by what Intercom showed when.

    Nothing occurs later than it is accepted: where log time runs behind the wall, so do the anchors.
    """
    purchases: dict[str, list[Acknowledged]] = defaultdict(list)
    for one in found.acknowledged:
        if one.call.get("event") == "Order Completed":
            purchases[f"id:{one.call['userId']}"].append(one)
    worst, nudges, ends = 0, 0, []
    on: dict[str, int] = {}  # since when a purchase ends what is shown
    shown_anchor = {
        (c.person, c.attributes.get("cio_moment_expires_at")): c.event.created_s for c in found.commands if c.event
    }
    for write in found.writes:
        begins = write.shown.get("cio_moment") == "high_aov_abandoner"
        anchor_s = shown_anchor.get((write.person, write.shown.get("cio_moment_expires_at")))
        if begins and write.person not in on and anchor_s is not None:
            on[write.person] = anchored_ms = (anchor_s + 1) * 1000 - min(0, found.log_ahead_ms)
            late = [
                write.at_ms - p.acknowledged_ms
                for p in purchases[write.person]
                if anchored_ms < p.sent_ms and p.acknowledged_ms < write.at_ms
            ]
            nudges += bool(late)
            worst = max([worst, *late])
        elif not begins and write.person in on:
            anchored_ms = on.pop(write.person)
            causes = [
                p for p in purchases[write.person] if anchored_ms < p.sent_ms and p.acknowledged_ms <= write.at_ms
            ]
            ends += [write.at_ms - causes[0].acknowledged_ms] if causes else []
    return Delays(worst, nudges, ends)
