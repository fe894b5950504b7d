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
from agents.intercom.patience import patiently
from agents.intercom.register import Made

__all__ = [
    "Ambiguous", "Difference", "Failure", "Intercom", "Known", "Made", "Overtaken", "Refused", "Talking", "TryLater",
    "Unauthorized", "Unfit", "Unknown", "patiently",
]  # fmt: skip
