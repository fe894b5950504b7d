"""`concierge explain` of people in no moment: why, where production's log tells it, and what is claimed of a part of the log."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.instant import from_rfc3339
from contracts.logged import Logged
from contracts.policy import load
from tests.console.test_explain import ADA, BOB, EVE, Town, at, town
from tests.console.test_setup import concierge
from tests.streams.histories import START_MS

__all__ = ["town"]  # a fixture
POLICY = Path(__file__).parents[2] / "policies" / "skincare.yaml"
SHIPPED = [name for name, _ in load(POLICY).by_priority]


def absent(told: dict[str, Any]) -> dict[str, str]:
    assert told["absent_refused"] is None
    return {one["audience"]: one["why"] for one in told["absent"]}


@pytest.mark.parametrize("archived", [False, True])
def test_why_in_no_moment_follows_from_the_log_as_production_wrote_it(town: Town, archived: bool) -> None:
    source = [str(town.archive)] if archived else []
    never = town.story(EVE, *source)
    assert absent(never) == {**dict.fromkeys(SHIPPED, "anchor"), "high_aov_abandoner": "threshold"}
    [why] = [one for one in never["absent"] if one["audience"] == "high_aov_abandoner"]
    assert why["detail"] == "cart_value > 150 (cart_value 20.00)"
    assert "  high_aov_abandoner: the conditions did not hold (cart_value > 150" in town.explain(EVE, *source)[1]
    early = town.story(EVE, *source, "--at", at(60))
    assert absent(early)["high_aov_abandoner"] == "window"
    bought = town.story("anon:b-1", *source)
    assert (bought["person"], absent(bought)["high_aov_abandoner"]) == (ADA, "threshold")
    assert absent(bought)["winback_vip"] == "window"
    for key in (ADA, EVE):
        anew = town.story(key, *source, "--policy", str(POLICY), "--at", at(165))
        assert town.story(key, *source, "--at", at(165))["absent"] == anew["absent"] != []
    assert town.story(BOB, *source)["absent"] == [], (
        "who is in a moment is not asked why in no other: it reads the log again"
    )


def test_why_in_no_moment_is_not_guessed_where_production_decided_otherwise(town: Town, tmp_path: Path) -> None:
    strict = tmp_path / "strict.yaml"
    shipped = POLICY.read_text()
    strict.write_text(shipped.replace("cart_value: {above: 150}", "cart_value: {above: 300}"))
    code, told, _ = concierge({**town.environment, "CONCIERGE_POLICY_FILE": str(strict)}, "explain", ADA)
    assert code == 0 and "Why in no moment then" not in told
    assert told.splitlines()[-1] == (
        "Why in no moment cannot be told: what was decided does not follow from this policy and the person's own signals alone."
    )


@pytest.fixture
def indexed(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The embedded broker has no index by time, so this reads by what a record says; gives the instants that were asked for."""
    from agents import kafka_log

    asked: list[int | None] = []
    read = kafka_log.read

    def by_time(
        settings: Any, topic: str, *, partitions: dict[int, Any], from_ms: int | None = None
    ) -> Iterator[Logged]:
        asked.append(from_ms)
        for record in read(settings, topic, partitions=partitions):
            if from_ms is None or _instant_ms(record.value) >= from_ms:
                yield record

    monkeypatch.setattr(kafka_log, "read", by_time)
    return asked


def _instant_ms(value: bytes) -> int:
    told = msgspec.json.decode(value) if value.startswith(b"{") else {}
    stamps = [told[name] for name in ("accepted_ms", "at_ms", "decided_ms") if name in told]
    return int(stamps[0]) if stamps else from_rfc3339(told["at"]) if "at" in told else 0


def test_what_is_looked_at_from_an_instant_on_says_so_and_claims_nothing_of_before(
    town: Town, indexed: list[int | None]
) -> None:
    from_ms = START_MS + 145 * 60_000
    told = town.story(ADA, "--from", at(145))
    assert set(indexed) == {from_ms}
    assert (told["from"], told["now"]) == (at(145), "out")
    assert [one["reason"] for one in told["decisions"]] == ["purchased"]
    assert told["sentence"].startswith(
        "Not in any moment now. Last: high_aov_abandoner, begun before what was read, withdrawn at 2026-03-02 11:30 UTC: "
    )
    assert told["absent"] == [] and "--from" in told["absent_refused"]
    lines = town.explain(ADA, "--from", at(145))[1].splitlines()
    assert any(line.startswith("id:ada; from 2026-03-02 11:25:00 UTC on, as of 2026-03-02 12:00:") for line in lines)
    assert town.explain(ADA, "--from", at(2), "--at", at(1))[2] == "concierge: --from: must not be later than --at\n"


def test_an_archive_is_read_whole_and_told_from_an_instant_on(town: Town) -> None:
    told = town.story(ADA, str(town.archive), "--from", at(145))
    assert [one["reason"] for one in told["decisions"]] == ["purchased"] and told["absent"] != []
    assert "2026-03-02 11:00 UTC to 11:30" in told["sentence"], "the beginning is known, and not listed"


def test_a_moment_that_may_have_begun_before_what_was_read_is_not_denied(town: Town, indexed: list[int | None]) -> None:
    code, told, _ = town.explain(BOB, "--from", at(145))
    assert (code, told) == (
        1,
        "Nothing was decided about this person from 2026-03-02 11:25 UTC on; what was before was not read.\n",
    )
    assert json.loads(town.explain(BOB, "--from", at(145), "--json")[1])["now"] == "unknown"
    assert town.story(BOB, "--from", at(115))["now"] == "in_moment"
