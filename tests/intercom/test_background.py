"""A whole worker as a process looks at contacts by itself, mends what somebody edited, and tells nobody's data."""

import time
from pathlib import Path

from confluent_kafka import Producer

from agents import desired
from agents.desired import Contact
from agents.intercom import Known
from agents.reliable import EXIT_FAILED
from agents.topic_plan import TABLES, changelog
from console.policy import shipped
from contracts.commands import Command
from contracts.fields import manifest
from contracts.policy import load
from contracts.topics import OURS
from rehearsal.broker import embedded_broker
from rehearsal.intercom import intercom_app
from rehearsal.intercom_workspace import Workspace
from tests.ingest.test_worker import settings_for
from tests.intercom.scene import FLAG, activation, shown
from tests.intercom.serving import served
from tests.live.stage import await_until, process

TOKEN = "dG9rOjQyX3NlY3JldA"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def settled(command: Command, intercom_id: str) -> Contact:
    """As the courier keeps it once the moment is shown and its event was told."""
    assert command.event is not None
    event = (command.event.name, command.event.created_s)
    known = Known(intercom_id=intercom_id, attributes=command.attributes, event=event)
    contact = desired.learned(desired.desire(Contact(), command, now_ms()), known)
    return desired.settled(contact, command.revision, None)


def test_a_worker_mends_by_itself_what_was_edited_and_leaves_what_is_gone(tmp_path: Path) -> None:
    ends_s = now_ms() // 1000 + 36_000
    policy = tmp_path / "policy.yaml"
    policy.write_text(shipped().read_text(encoding="utf-8") + "\nmend: true\n", encoding="utf-8")
    workspace = Workspace(now_ms=now_ms, search_lag_ms=0, attributes=manifest(tuple(load(policy).audiences)))
    names = [*(topic.name for topic in OURS), *map(changelog, TABLES)]
    with (
        embedded_broker(names) as bootstrap,
        served(intercom_app(workspace, token=TOKEN)) as address,
    ):
        producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2"})
        for name in ("ada", "bob", "eve"):
            attributes = shown(cio_moment_expires_at=ends_s)
            command = activation(person=f"id:{name}", attributes=attributes, expires_ms=ends_s * 1000)
            made = workspace.create({"external_id": name, "custom_attributes": dict(attributes)})
            kept = desired.encode(settled(command, made["id"]))
            producer.produce(changelog("contacts"), kept, command.person.encode())
        assert producer.flush(15) == 0
        ada, bob, eve = (workspace.by_external_id(name) for name in ("ada", "bob", "eve"))
        assert ada is not None and bob is not None and eve is not None
        workspace.update(ada.id, {"custom_attributes": {FLAG: False}})
        workspace.archive(eve.id, archived=True)
        environment = settings_for(bootstrap, tmp_path) | {
            "CONCIERGE_INTERCOM_TOKEN": TOKEN, "CONCIERGE_INTERCOM_URL": address, "CONCIERGE_RECONCILE_SECONDS": "1",
            "CONCIERGE_POLICY_FILE": str(policy),
        }  # fmt: skip
        log = tmp_path / "worker.log"
        with process("work", environment, log) as worker:
            await_until(lambda: ada.custom[FLAG] is True, seconds=90, what="what was edited, written right")
            await_until(
                lambda: '"what":"missing"' in log.read_text().replace(" ", ""),
                seconds=30,
                what="a look at the one who is gone",
            )
            assert worker.poll() is None
    assert (ada.writes, bob.writes, eve.writes) == (3, 1, 1), "made, edited and mended; made; made"
    assert eve.archived and len(ada.events) == 0, "an event is told once, and was told long ago"
    told = log.read_text()
    assert not any(word in told for word in (TOKEN, "id:ada", "id:eve", "example.com", ada.id, eve.id))


def test_a_worker_does_not_go_on_where_an_attribute_does_not_fit_and_says_which(tmp_path: Path) -> None:
    workspace = Workspace(now_ms=now_ms, search_lag_ms=0)
    workspace.create_attribute({"name": "cio_tier", "data_type": "float"})
    names = [*(topic.name for topic in OURS), *map(changelog, TABLES)]
    with (
        embedded_broker(names) as bootstrap,
        served(intercom_app(workspace, token=TOKEN)) as address,
    ):
        environment = settings_for(bootstrap, tmp_path) | {
            "CONCIERGE_INTERCOM_TOKEN": TOKEN, "CONCIERGE_INTERCOM_URL": address,
        }  # fmt: skip
        log = tmp_path / "worker.log"
        with process("work", environment, log) as worker:
            await_until(lambda: worker.poll() is not None, seconds=90, what="its end")
    told = log.read_text()
    assert worker.returncode == EXIT_FAILED
    assert "attribute cio_tier is float in Intercom and must be string" in told
    assert len(workspace.attributes) == 1, "nothing is made where something does not fit"
