"""docker-compose.yml and the Dockerfile say what the code says and what the Compose specification allows.

They are read here, not run: neither the machine of these tests nor CI has a Docker daemon.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from agents.settings import PREFIX, Settings, read_settings
from console.cli import app
from tests.architecture.rooms import ROOMS, ROOT

SCHEMA = json.loads((Path(__file__).with_name("vendor") / "compose-spec.json").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
BROKERS, WORKERS = ("broker-1", "broker-2", "broker-3"), ("worker-1", "worker-2")
OURS = (*WORKERS, "receiver", "topics", "intercom")
OTHERS = ("prometheus", "grafana")
EXACT = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+(?:-[a-z0-9.-]+)?")
Compose = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> Compose:
    read: Compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


def breaches(compose: Compose) -> list[str]:
    """What Compose would refuse, what would never start, and what this project does not allow itself."""
    found = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in Draft202012Validator(SCHEMA).iter_errors(compose)]
    for name, service in compose["services"].items():
        found += [f"{name}: {breach}" for breach in _of_service(service, compose)]
        if name in OURS:
            found += [f"{name}: {breach}" for breach in _of_ours(service)]
    return found


def _of_service(service: Compose, compose: Compose) -> Iterator[str]:
    services = compose["services"]
    for other, wait in service.get("depends_on", {}).items():
        if other not in services:
            yield f"waits for {other}, which is no service"
        elif wait["condition"] == "service_healthy" and "test" not in services[other].get("healthcheck", {}):
            yield f"waits for the health of {other}, which has no healthcheck"
    for volume in service.get("volumes", []):
        source = volume.partition(":")[0]
        if not (ROOT / source).is_dir() if source.startswith("./") else source not in compose["volumes"]:
            yield f"volume {source} is not declared, or no folder"
    for port in service.get("ports", []):
        if not port.startswith("127.0.0.1:"):
            yield f"{port} is open to the network"
        if port.rpartition(":")[0] == compose["x-console-port"]:
            yield "takes the port that is kept for the console"
    if not EXACT.fullmatch(service.get("image", "")):
        yield "its image is not pinned"
    if "no-new-privileges:true" not in service.get("security_opt", []) or service.get("cap_drop") != ["ALL"]:
        yield "may gain privileges"


def _of_ours(service: Compose) -> Iterator[str]:
    if service.get("read_only") is not True:
        yield "can write to its root"
    if service.get("user", "10001") in ("root", "0"):
        yield "runs as root"
    for name in service.get("environment", {}):
        if name.removeprefix(PREFIX).lower() not in Settings.model_fields:
            yield f"there is no setting {name}"


def test_compose_file_is_one(compose: Compose) -> None:
    assert set(compose["services"]) == {*BROKERS, *OURS, *OTHERS}
    assert breaches(compose) == []


def set_worker(key: str, value: object) -> Callable[[Compose], None]:
    return lambda compose: compose["services"]["worker-1"].__setitem__(key, value)


@pytest.mark.parametrize(
    "plant",
    [
        set_worker("comand", ["work"]),
        set_worker("restart", 5),
        set_worker("ports", ["8080:8080"]),
        set_worker("ports", ["127.0.0.1:8090:80"]),
        set_worker("depends_on", {"broker-1": {"condition": "service_well"}}),
        set_worker("depends_on", {"nobody": {"condition": "service_healthy"}}),
        set_worker("depends_on", {"topics": {"condition": "service_healthy"}}),
        set_worker("volumes", ["undeclared:/data"]),
        set_worker("volumes", ["./nowhere:/data"]),
        set_worker("healthcheck", {"cmd": "true"}),
        set_worker("image", "concierge:latest"),
        set_worker("cap_drop", []),
        set_worker("read_only", False),
        set_worker("user", "root"),
        set_worker("environment", {"CONCIERGE_KAFKA": "broker-1:9092"}),
        lambda compose: compose.__setitem__("service", {}),
    ],
)
def test_planted_mistake_is_found(compose: Compose, plant: Callable[[Compose], None]) -> None:
    planted = copy.deepcopy(compose)
    plant(planted)
    assert breaches(planted) != []


@pytest.mark.parametrize("service", ["receiver", "topics", *WORKERS])
def test_settings_and_commands_are_accepted(compose: Compose, service: str) -> None:
    held = compose["services"][service]
    settings = read_settings(held["environment"])
    assert settings.replication == len(BROKERS)
    assert settings.kafka_bootstrap.split(",") == [f"{name}:9092" for name in BROKERS]
    verbs = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert held["command"][0] in verbs
    if service != "topics":
        assert f":{settings.metrics_port}/ready" in held["healthcheck"]["test"][-1]


def test_every_broker_keeps_three_copies_and_wants_two(compose: Compose) -> None:
    quorum = ",".join(f"{number}@{name}:9093" for number, name in enumerate(BROKERS, 1))
    for number, name in enumerate(BROKERS, 1):
        settings = compose["services"][name]["environment"]
        assert settings["KAFKA_NODE_ID"] == str(number) and f"//{name}:9092" in settings["KAFKA_ADVERTISED_LISTENERS"]
        assert settings["KAFKA_CONTROLLER_QUORUM_VOTERS"] == quorum
        assert {settings[key] for key in settings if key.endswith("REPLICATION_FACTOR")} == {"3"}
        assert {settings[key] for key in settings if "MIN_I" in key} == {"2"}
        assert settings["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
        assert len(settings["CLUSTER_ID"]) == 22, "sixteen bytes in base64, as Kafka wants them"


def test_topics_are_made_before_anything_reads_them_and_by_nothing_else(compose: Compose) -> None:
    services = compose["services"]
    assert services["topics"]["command"] == ["topics", "--apply"]
    assert set(services["topics"]["depends_on"]) == set(BROKERS)
    for name in ("receiver", *WORKERS):
        assert services[name]["depends_on"]["topics"] == {"condition": "service_completed_successfully"}


def test_each_worker_and_broker_has_a_disk_of_its_own(compose: Compose) -> None:
    disks = [compose["services"][name]["volumes"] for name in (*BROKERS, *WORKERS)]
    assert len({volume for volumes in disks for volume in volumes}) == len(disks)


def test_prometheus_reads_every_process(compose: Compose) -> None:
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in scraped}
    ports = {
        name: compose["services"][name]["environment"]["CONCIERGE_METRICS_PORT"] for name in ("receiver", *WORKERS)
    }
    assert targets == {
        "concierge-receiver": [f"receiver:{ports['receiver']}"],
        "concierge-worker": [f"intercom:{ports[name]}" for name in WORKERS],
    }
    assert {compose["services"][name]["network_mode"] for name in WORKERS} == {"service:intercom"}


def test_image_is_pinned_holds_every_room_and_runs_as_nobody_special() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for room in (*ROOMS, "policies"):
        assert f"COPY {room} {room}\n" in DOCKERFILE
        assert f"!{room}" in ignored
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases and all(EXACT.fullmatch(base) for base in bases)
    assert DOCKERFILE.index("USER 10001:10001") < DOCKERFILE.index("ENTRYPOINT")
    assert DOCKERFILE.count("USER ") == 1


def test_image_sets_and_asks_only_what_exists() -> None:
    named = set(re.findall(rf"{PREFIX}[A-Z_]+", DOCKERFILE))
    assert named == {"CONCIERGE_DATA_DIR", "CONCIERGE_METRICS_PORT"}
    assert all(name.removeprefix(PREFIX).lower() in Settings.model_fields for name in named)
    assert "/live" in DOCKERFILE[DOCKERFILE.index("HEALTHCHECK") :]
