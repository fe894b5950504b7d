"""Holds what Intercom shows against what the decisions say, contact by contact and attribute by attribute."""

from collections.abc import Mapping

from contracts.decisions import Decision
from rehearsal.demo_evidence import Comparison, Evidence, same


def compare(evidence: Evidence, wall_ms: int, *, settle_wall_ms: int) -> Comparison:
    """Every contact's flags and moment against the decisions, its attributes against the newest command."""
    expected = {person: decision for person, decision in evidence.in_a_moment().items() if decision.arm == "assisted"}
    fresh = {p for p, at_ms in evidence.changed_wall_ms.items() if wall_ms - at_ms < settle_wall_ms}
    differing: list[str] = []
    people = (set(expected) | set(evidence.contacts)) - fresh
    for person in sorted(people):
        shown = evidence.contacts.get(person)
        differing += _differences(person, expected.get(person), shown, evidence)
    return Comparison(wall_ms, len(people), len(fresh & (set(expected) | set(evidence.contacts))), tuple(differing))


def _differences(
    person: str, decision: Decision | None, shown: Mapping[str, object] | None, evidence: Evidence
) -> list[str]:
    audience = decision.audience if decision is not None else None
    if shown is None:
        return [f"{person}: in {audience} by the decisions, no contact in Intercom"]
    lines = []
    flags = [name for name in evidence.policy.audiences if shown.get(f"cio_segment_{name}")]
    if flags != ([audience] if audience else []):
        lines.append(f"{person}: decisions say {audience}, flags show {', '.join(flags) or 'none'}")
    if not same(audience, shown.get("cio_moment")):
        lines.append(f"{person}: decisions say {audience}, cio_moment shows {shown.get('cio_moment')}")
    told = evidence.commands.get(person)
    if told:
        lines += [
            f"{person}: {name} is to be {value!r}, shows {shown.get(name)!r}"
            for name, value in told[-1].attributes.items()
            if not same(value, shown.get(name))
        ]
    return lines
