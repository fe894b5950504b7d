"""The gate as whoever deploys meets it: what moves too many moments is refused, and nothing of it is in the log."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from agents import kafka_log
from agents.kafka_log import Extent
from agents.settings import Settings, read_settings
from agents.topic_plan import TABLES, changelog
from console import gate
from console.cli import app
from console.policy import shipped
from contracts import signals
from contracts.logged import Logged
from contracts.policy import load
from contracts.signals import Ruled
from contracts.topics import OURS, SIGNALS
from rehearsal.broker import EMBEDDED_PARTITIONS, embedded_broker
from tests.ingest.test_worker import settings_for
from tests.live.stage import records

DAYS = "18000"  # the shop below is of a fixed day
PEOPLE = 30


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Thirty carts of 130, and time going on for half a day."""
    carts = [
        {"type": "track", "userId": f"u{number}", "messageId": f"m{number}", "timestamp": "2026-03-02T09:00:00Z",
         "event": "Product Added", "properties": {"product_id": "serum", "price": 130, "currency": "USD"}}
        for number in range(PEOPLE)
    ]  # fmt: skip
    last = {"type": "page", "userId": "u-x", "messageId": "m-x", "timestamp": "2026-03-02T21:00:00Z", "name": "home"}
    path = tmp_path / "shop.jsonl"
    path.write_text("".join(json.dumps(call) + "\n" for call in [*carts, last]))
    return path


@pytest.fixture
def lower(tmp_path: Path) -> Path:
    path = tmp_path / "lower.yaml"
    path.write_text(shipped().read_text().replace("cart_value: {above: 150}", "cart_value: {above: 125}"))
    return path


def test_a_difference_beyond_the_limit_is_the_answer_no(shop: Path, lower: Path) -> None:
    asked = ["policy", "diff", str(shipped()), str(lower), "--history", str(shop)]
    found = CliRunner().invoke(app, asked)
    assert found.exit_code == 1 and "high_aov_abandoner: 0 -> 30 (there were none), beyond 20%" in found.stdout
    assert CliRunner().invoke(app, asked[:4]).exit_code == 0, "without a history nothing is counted"


def test_what_moves_too_many_is_deployed_only_when_accepted_and_rules_the_next_comparison(
    shop: Path, lower: Path, tmp_path: Path
) -> None:
    with embedded_broker([*(topic.name for topic in OURS), *map(changelog, TABLES)]) as bootstrap:
        command = CliRunner(env=settings_for(bootstrap, tmp_path) | {"CONCIERGE_POLICY_FILE": str(shipped())})
        asked = ["policy", "deploy", str(lower), "--days", DAYS, "--history", str(shop)]

        def ruled() -> list[str]:
            held = records(bootstrap, SIGNALS.name, EMBEDDED_PARTITIONS).values()
            read = [signals.decode(value) for values in held for value in values]
            return [one.policy for one in read if isinstance(one, Ruled)]

        refused = command.invoke(app, asked)
        assert (refused.exit_code, ruled()) == (1, []), refused.output
        assert "is not deployed" in refused.stderr and "--accept" in refused.stderr
        accepted = command.invoke(app, [*asked, "--accept"])
        assert (accepted.exit_code, ruled()) == (0, [load(lower).hash] * EMBEDDED_PARTITIONS), accepted.output
        again = command.invoke(app, asked)
        assert again.exit_code == 0, "the policy in force is the one that the log names"
        assert "30 moments under the base, 30 under the candidate" in again.output


def test_the_newest_policy_is_found_from_the_end_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    reading = kafka_log.read

    def read(settings: Settings, topic: str, *, partitions: dict[int, Extent]) -> Iterator[Logged]:
        asked.append(partitions[0])
        return reading(settings, topic, partitions=partitions)

    monkeypatch.setattr(kafka_log, "read", read)
    monkeypatch.setattr(gate, "NEWEST_RECORDS", 4)
    with embedded_broker([SIGNALS.name]) as bootstrap:
        settings = read_settings(settings_for(bootstrap, tmp_path))
        producer = Producer({"bootstrap.servers": bootstrap})

        def write(*values: bytes) -> None:
            for value in values:
                producer.produce(SIGNALS.name, value, partition=0)
            assert producer.flush(15) == 0

        other = b'{"t":"marked"} "t":"ruled"'  # names it, and is none
        write(*[other] * 9)
        assert gate.newest_ruled(settings) is None and asked == [(5, 9), (0, 5)]
        older, newer = (signals.encode(Ruled(policy=text, text=text, at_ms=1)) for text in ("older", "newer"))
        write(older, newer, older, newer, *[other] * 11)
        asked.clear()
        assert gate.newest_ruled(settings) == "newer"
        assert asked == [(20, 24), (12, 20)], "the log before it is left alone"
