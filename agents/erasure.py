"""Asks for people to be forgotten, by the same call that Customer.io sends when one is deleted there.

Promise: the call is in Kafka for everybody named, or NotAsked says how many are left; asking again does no harm. What
reads it ends the person's moments, keeps nothing of the record but the fact, and clears the contact in Intercom.
"""

import json
import uuid
from collections.abc import Sequence

from agents.appending import Appended, append
from agents.kafka_topics import check_receiver
from agents.settings import Settings
from contracts.person_key import NOT_NAMED, named
from contracts.received import frame
from contracts.topics import SOURCE_CUSTOMERIO

EVENT = "User Deleted"


class NotAKey(ValueError):
    """The message does not repeat the key, which is personal data."""


class NotAsked(Exception):
    """The message says how many were asked for and what to do."""


def call_for(key: str) -> dict[str, object]:
    """The call that names the person by this key and no other: `id:`, `cio:`, `email:` or `anon:`. NotAKey."""
    read = named(key)
    if read is None:
        raise NotAKey(NOT_NAMED)
    kind, _, known = read.partition(":")
    call: dict[str, object] = {"type": "track", "event": EVENT, "messageId": f"erase-{uuid.uuid4()}"}
    if kind == "id":
        return call | {"userId": known}
    if kind == "anon":
        return call | {"anonymousId": known}
    return call | {"context": {"traits": {"cio_id" if kind == "cio" else "email": known}}}


def ask(keys: Sequence[str], settings: Settings) -> None:
    """NotAKey (then nobody was asked for), Misconfigured, Unreachable, NotAsked."""
    now_ms = settings.clock_port().now_ms()
    values = [
        frame(json.dumps(call_for(key)).encode(), accepted_ms=now_ms, source="customerio_pipelines") for key in keys
    ]
    check_receiver(settings)
    asked = append(settings, (Appended(SOURCE_CUSTOMERIO.name, value) for value in values))
    if asked < len(keys):
        raise NotAsked(f"{asked} of {len(keys)} people are asked for, since Kafka did not answer in time; run it again")
