"""Arms: who is assisted and who is held out, dealt by a hash of the key, so that any machine deals alike."""

from functools import lru_cache
from hashlib import sha256

from contracts.decisions import Arm
from contracts.policy import Policy

ARM_BITS = 64
PLACES_KEPT = 1024  # whoever is new is asked for twice, soon after one another


def arm_by_hash(person: str, policy: Policy) -> Arm:
    """SHA-256 of `salt|person`; its first 8 bytes, big-endian, over 2^64 below the share: holdout."""
    return "holdout" if _place(f"{policy.holdout.salt}|{person}") < policy.holdout.share else "assisted"


@lru_cache(maxsize=PLACES_KEPT)
def _place(salted: str) -> float:
    number: int = int.from_bytes(sha256(salted.encode()).digest()[:8], "big")
    return float(number / 2**ARM_BITS)
