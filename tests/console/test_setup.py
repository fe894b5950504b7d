"""`concierge setup` against a rehearsed workspace: what it makes, what it leaves alone, what it says, and its exit codes."""

import json
import socket
from collections.abc import Iterator, Mapping

import pytest
from starlette.applications import Starlette
from typer.testing import CliRunner

from console.cli import app
from console.intercom_steps import steps
from console.policy import shipped
from contracts.fields import CUSTOM_ATTRIBUTES_MAX, manifest
from contracts.policy import load
from rehearsal.intercom import intercom_app
from rehearsal.intercom_workspace import Workspace
from tests.intercom.scene import START_MS
from tests.intercom.serving import served

TOKEN = "dG9rOjQyX3NlY3JldA"
POLICY = load(shipped())
MANIFEST = manifest(tuple(POLICY.audiences))


class Setup:
    def __init__(self, workspace: Workspace, address: str) -> None:
        self.workspace = workspace
        self.environment = {
            "COLUMNS": "200", "CONCIERGE_INTERCOM_TOKEN": TOKEN, "CONCIERGE_INTERCOM_URL": address,
            "CONCIERGE_POLICY_FILE": str(shipped()),
        }  # fmt: skip

    def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        return concierge(self.environment | environment, "setup", *words)

    def written(self) -> list[tuple[str, str, int]]:
        return [call for call in self.workspace.requests if call[0] != "GET"]


def concierge(environment: Mapping[str, str], *words: str) -> tuple[int, str, str]:
    result = CliRunner(env=dict(environment)).invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert TOKEN not in result.output
    return result.exit_code, result.stdout, result.stderr


def rehearsed(workspace: Workspace) -> Starlette:
    return intercom_app(workspace, token=TOKEN)


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> Iterator[Setup]:
    monkeypatch.delenv("CONCIERGE_KAFKA_BOOTSTRAP", raising=False)
    workspace = Workspace(now_ms=lambda: START_MS, search_lag_ms=0)
    with served(rehearsed(workspace)) as address:
        yield Setup(workspace, address)


def test_check_names_every_attribute_that_is_missing_and_changes_nothing(setup: Setup) -> None:
    code, told, _ = setup.run("--check")
    assert code == 1
    assert [line.split()[3] for line in told.splitlines()] == [field.name for field in MANIFEST]
    assert setup.workspace.attributes == {} and setup.written() == []


def test_setup_makes_what_is_missing_with_its_type_and_then_check_is_content(setup: Setup) -> None:
    code, told, _ = setup.run("--json")
    assert (code, json.loads(told)["differences"]) == (0, [])
    assert json.loads(told)["created"] == [field.name for field in MANIFEST]
    made = {name: entry["data_type"] for name, entry in setup.workspace.attributes.items()}
    assert made == {field.name: field.data_type for field in MANIFEST}
    before = len(setup.written())
    code, told, _ = setup.run("--check")
    assert (code, told) == (0, "The attributes are as they have to be.\n")
    assert len(setup.written()) == before


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        ({"data_type": "string"}, "type", "version suffix"),
        ({"archived": True}, "archived", "restore it"),
        ({"api_writable": False}, "not_writable", "free the name"),
    ],
)
def test_what_does_not_fit_is_told_and_left_while_the_missing_are_made(
    setup: Setup, change: dict[str, object], what: str, remedy: str
) -> None:
    setup.workspace.create_attribute({"name": "last_cart_value", "data_type": "float"})
    setup.workspace.attributes["last_cart_value"].update(change)
    before = dict(setup.workspace.attributes["last_cart_value"])
    code, told, _ = setup.run("--json")
    [left] = json.loads(told)["differences"]
    assert (code, left["attribute"], left["what"]) == (1, "last_cart_value", what)
    assert remedy in left["remedy"]
    assert setup.workspace.attributes["last_cart_value"] == before
    assert len(setup.workspace.attributes) == len(MANIFEST)
    assert {method for method, _, _ in setup.written()} == {"POST"}


def test_where_not_all_have_room_none_is_made(setup: Setup) -> None:
    room = len(MANIFEST) - 1
    for number in range(CUSTOM_ATTRIBUTES_MAX - room):
        setup.workspace.create_attribute({"name": f"theirs_{number}", "data_type": "string"})
    code, told, _ = setup.run()
    assert code == 1
    assert f"{CUSTOM_ATTRIBUTES_MAX - room} custom attributes and {len(MANIFEST)} more are needed" in told
    assert setup.written() == []
    setup.workspace.attributes["theirs_0"]["archived"] = True
    assert setup.run()[0] == 0, "an archived attribute takes no room"


def test_the_steps_name_every_flag_and_every_event_of_the_policy(setup: Setup) -> None:
    _, told, _ = setup.run()
    for name, audience in POLICY.audiences.items():
        assert f'"cio_segment_{name} is true" > save the segment' in told
        assert f'the event "{audience.event}" occurs' in told
    assert '"User data > cio_tier is vip"' in told
    named = " ".join(line for step in steps(POLICY) for line in step.lines)
    known = {field.name for field in MANIFEST}
    assert {word.strip('".,') for word in named.split() if word.startswith(("cio_", "last_"))} <= known


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"CONCIERGE_INTERCOM_TOKEN": ""}, "CONCIERGE_INTERCOM_TOKEN: is not set"),
        ({"CONCIERGE_INTERCOM_TOKEN": f"{TOKEN} and more"}, "CONCIERGE_INTERCOM_TOKEN: not one word"),
        ({"CONCIERGE_INTERCOM_TOKEN": "another"}, "Intercom answered 401: check the access token"),
        ({"CONCIERGE_POLICY_FILE": "nowhere.yaml"}, "nowhere.yaml: cannot be read"),
        ({"CONCIERGE_INTERCOM_REGION": "mars"}, "CONCIERGE_INTERCOM_REGION"),
    ],
)
def test_what_is_misconfigured_is_one_sentence_and_exit_2(
    setup: Setup, environment: dict[str, str], sentence: str
) -> None:
    code, told, complaint = setup.run("--check", **environment)
    assert (code, told) == (2, "")
    assert sentence in complaint and len(complaint.splitlines()) == 1


def test_an_intercom_that_is_away_is_exit_2_and_no_answer_to_the_question(setup: Setup) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        code, told, complaint = setup.run("--check", CONCIERGE_INTERCOM_URL=address)
    assert (code, told) == (2, "")
    assert "no connection" in complaint
