"""Finds the contact of a person: by external id, by e-mail where there is none, or where a merge left it.

Reads only. Search shows the past for minutes, so what it finds is good for an id and for nothing else where freshness counts.
"""

from typing import Any
from urllib.parse import quote

from agents.intercom.failures import Ambiguous, Refused, Unknown
from agents.intercom.line import Gone, Line, Merged
from contracts.signals import Scalar

TALKS_MAX = 5  # one is enough to know; a person with more at once is told of the others by their webhooks
DAY_SECONDS = 86_400  # a search for what is after an instant begins with the next day
MERGES_FOLLOWED_MAX = 3  # chains of merges are short; a longer one is a loop


async def find(line: Line, *, external_id: str | None, email: str | None) -> dict[str, Any] | None:
    """The contact's JSON, None where there is none. Refused `no_identity` without either, Ambiguous, other Failures."""
    if external_id is not None:
        return await read(line, f"/contacts/find_by_external_id/{quote(external_id, safe='')}")
    if email is not None:
        return await _by_email(line, email)
    raise Refused("no_identity")


async def read(line: Line, path: str) -> dict[str, Any] | None:
    """The contact at `path`, or the one that it was merged into; None where there is none."""
    for _ in range(MERGES_FOLLOWED_MAX + 1):
        try:
            return contact_of(await line.call("GET", path))
        except Gone:
            return None
        except Merged as merged:
            path = f"/contacts/{merged.canonical_id}"
    raise Refused("merged_in_a_loop")


async def talks(line: Line, intercom_id: str) -> tuple[tuple[str, int], ...]:
    """(id, last touched in unix seconds) of the contact's open conversations, snoozed ones included; at most TALKS_MAX."""
    found = await _conversations(line, ("contact_ids", "=", intercom_id), ("open", "=", True))
    return tuple((str(talk["id"]), int(talk.get("updated_at") or 0)) for talk in found)


async def closings(line: Line, intercom_id: str, *, after_s: int) -> tuple[tuple[str, int], ...]:
    """(id, instant in unix seconds) of the contact's conversations that were closed after `after_s`, at most TALKS_MAX."""
    since = ("statistics.last_close_at", ">", after_s - DAY_SECONDS)
    found = await _conversations(line, ("contact_ids", "=", intercom_id), ("open", "=", False), since)
    closed = [(str(talk["id"]), (talk.get("statistics") or {}).get("last_close_at")) for talk in found]
    return tuple((talk, at_s) for talk, at_s in closed if isinstance(at_s, int) and at_s > after_s)


async def _conversations(line: Line, *wanted: tuple[str, str, Scalar]) -> list[dict[str, Any]]:
    filters = [{"field": field, "operator": operator, "value": value} for field, operator, value in wanted]
    body = {"query": {"operator": "AND", "value": filters}, "pagination": {"per_page": TALKS_MAX}}
    answer = await line.call("POST", "/conversations/search", body, reads=True)
    return [talk for talk in answer.get("conversations", []) if isinstance(talk, dict) and talk.get("id")]


def contact_of(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer if it names a contact; Unknown where it does not, since a write may stand behind it."""
    if not isinstance(answer.get("id"), str):
        raise Unknown("the answer names no contact")
    return answer


async def _by_email(line: Line, email: str) -> dict[str, Any] | None:
    query = {"field": "email", "operator": "=", "value": email.lower()}
    body = {"query": query, "pagination": {"per_page": 2}}
    hits = (await line.call("POST", "/contacts/search", body, reads=True)).get("data", [])
    if len(hits) > 1:
        raise Ambiguous
    return dict(hits[0]) if hits else None
