"""docker-compose.yml says what the code says. It is read here, not run: neither test machine nor CI has a Docker daemon."""

from typing import Any

import pytest
import yaml

from agents.settings import PREFIX, read_settings
from console.cli import app
from tests.architecture.rooms import ROOMS, ROOT

SERVICE_KEYS = {
    "build", "image", "restart", "security_opt", "cap_drop", "ports", "environment", "volumes", "healthcheck", "depends_on",
    "entrypoint", "command", "network_mode",
}  # fmt: skip
HEALTH_KEYS = {"test", "interval", "timeout", "retries"}
CONDITIONS = {"service_healthy", "service_started", "service_completed_successfully"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


def breaches(compose: dict[str, Any]) -> list[str]:
    """What Compose would refuse or what would never start, as far as a reader can see."""
    services = compose["services"]
    found = [
        f"top: {key}" for key in compose if key not in ("name", "services", "volumes") and not key.startswith("x-")
    ]
    for name, service in services.items():
        found += [f"{name}: {key} is no key of a service" for key in service if key not in SERVICE_KEYS]
        found += [
            f"{name}: {key} is no key of a healthcheck" for key in service.get("healthcheck", {}).keys() - HEALTH_KEYS
        ]
        for other, wait in service.get("depends_on", {}).items():
            if other not in services or wait["condition"] not in CONDITIONS:
                found.append(f"{name}: waits for {other}, which is no service or has no such condition")
            elif wait["condition"] == "service_healthy" and "healthcheck" not in services[other]:
                found.append(f"{name}: waits for the health of {other}, which has no healthcheck")
        for volume in service.get("volumes", []):
            if volume.partition(":")[0] not in compose["volumes"]:
                found.append(f"{name}: volume {volume} is not declared")
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                found.append(f"{name}: {port} is open to the network")
    return found


def test_compose_file_is_one(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"broker", "intercom", "receiver", "worker"}
    assert breaches(compose) == []


@pytest.mark.parametrize(
    "planted",
    [
        {"comand": ["work"]},
        {"ports": ["8080:8080"]},
        {"depends_on": {"broker": {"condition": "service_well"}}},
        {"depends_on": {"nobody": {"condition": "service_healthy"}}},
        {"volumes": ["undeclared:/data"]},
        {"healthcheck": {"cmd": "true"}},
    ],
)
def test_planted_mistake_is_found(compose: dict[str, Any], planted: dict[str, Any]) -> None:
    services = compose["services"] | {"worker": compose["services"]["worker"] | planted}
    assert len(breaches(compose | {"services": services})) == 1


@pytest.mark.parametrize("service", ["receiver", "worker"])
def test_settings_are_accepted(compose: dict[str, Any], service: str) -> None:
    environment = compose["services"][service]["environment"]
    assert all(name.startswith(PREFIX) for name in environment)
    read_settings(environment)


@pytest.mark.parametrize("service", ["receiver", "worker"])
def test_commands_exist(compose: dict[str, Any], service: str) -> None:
    verbs = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert compose["services"][service]["command"][0] in verbs


def test_image_holds_every_room_and_runs_as_nobody_special() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for room in (*ROOMS, "policies"):
        assert f"COPY {room} {room}\n" in dockerfile
        assert f"!{room}" in ignored
    assert dockerfile.index("USER concierge") < dockerfile.index("ENTRYPOINT")
