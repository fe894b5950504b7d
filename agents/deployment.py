"""Deploys a policy: one control record into every partition of the log, all with the same instant.

Promise: what makes no sense or what Intercom cannot show is refused before anything is written. Where only a part of the
partitions took the record, NotDeployed says so, and deploying again completes it: a partition that has it passes over it.
"""

import asyncio
from pathlib import Path
from typing import NamedTuple

from agents.appending import Appended, append
from agents.clock import SteadyClock
from agents.intercom import Intercom
from agents.intercom.failures import Failure
from agents.kafka_topics import worker_sources
from agents.settings import Settings
from contracts import signals
from contracts.fields import manifest
from contracts.policy import Policy, load
from contracts.signals import Ruled
from contracts.topics import SIGNALS


class NotDeployed(Exception):
    """The message says how far it came and what to do."""


class Deployed(NamedTuple):
    """at_ms: the instant from which the policy rules. registered: attributes of Intercom made for it; None without a token."""

    policy: str
    at_ms: int
    partitions: int
    registered: int | None


def deploy(file: Path, settings: Settings) -> Deployed:
    """PolicyError, Misconfigured, Unreachable, NotDeployed."""
    policy = load(file)
    worker_sources(settings)
    registered = asyncio.run(_register(settings, policy)) if settings.intercom_token is not None else None
    text = file.read_text(encoding="utf-8")
    ruled = Ruled(policy=policy.hash, text=text, at_ms=settings.clock_port().now_ms())
    record = signals.encode(ruled)
    taken = append(settings, (Appended(SIGNALS.name, record, number) for number in range(settings.partitions)))
    if taken < settings.partitions:
        raise NotDeployed(
            f"{taken} of {settings.partitions} partitions of the log have the policy, since Kafka did not take it "
            "everywhere in time; deploy the same file again"
        )
    return Deployed(policy.hash, ruled.at_ms, settings.partitions, registered)


async def _register(settings: Settings, policy: Policy) -> int:
    """Before anybody can begin a moment: an attribute that Intercom does not know makes it refuse the whole write."""
    assert settings.intercom_token is not None, "asked by the caller"
    token = settings.intercom_token.get_secret_value()
    intercom = Intercom(
        base_url=settings.intercom_address, token=token, now_ms=SteadyClock().now_ms,
        others=settings.intercom_others_share,
    )  # fmt: skip
    try:
        return len(await intercom.register(manifest(tuple(policy.audiences))))
    except Failure as failure:
        raise NotDeployed(
            f"nothing was deployed, since the attributes could not be registered: {failure}; then deploy again"
        ) from None
    finally:
        await intercom.close()
