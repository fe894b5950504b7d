"""Makes one Intercom contact show what a command says. Writes only what differs, and never resurrects or guesses a contact."""

from agents.intercom.attributes import Difference
from agents.intercom.contact import Intercom
from agents.intercom.failures import (
    Ambiguous,
    Failure,
    Overtaken,
    Refused,
    Talking,
    TryLater,
    Unauthorized,
    Unfit,
    Unknown,
)
from agents.intercom.known import Known

__all__ = [
    "Ambiguous", "Difference", "Failure", "Intercom", "Known", "Overtaken", "Refused", "Talking", "TryLater",
    "Unauthorized", "Unfit", "Unknown",
]  # fmt: skip
