"""`concierge setup` against a rehearsed workspace: what it makes, what it leaves alone, what it says, and its exit codes."""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from typer.testing import CliRunner

from agents.intercom import patience
from agents.intercom.attributes import compare
from console.cli import app
from console.intercom_steps import EVENT_FACTS, event_name, spoken, steps
from console.policy import shipped
from console.wrapping import WIDTH_MAX
from contracts.commands import Command
from contracts.fields import CUSTOM_ATTRIBUTES_MAX, Field, manifest, places, segment_field
from contracts.policy import load
from rehearsal.intercom import intercom_app
from rehearsal.intercom_workspace import Rejection, Workspace
from tests.intercom.scene import START_MS
from tests.intercom.serving import served
from tests.streams.histories import Run, added, track

TOKEN = "dG9rOjQyX3NlY3JldA"
POLICY = load(shipped())
SHIPPED = sorted(shipped().parent.glob("*.yaml"))
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
    assert [line.split()[2] for line in told.splitlines()[:-1]] == [field.name for field in MANIFEST]
    assert told.splitlines()[-1] == "`concierge setup` creates what does not exist."
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
        ({"api_writable": False}, "not_writable", "have the name freed"),
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


def test_an_attribute_that_differs_tells_what_helps(setup: Setup) -> None:
    flag, fact = segment_field("winback_vip"), "last_viewed_product"
    setup.workspace.create_attribute({"name": flag, "data_type": "string"})
    setup.workspace.create_attribute({"name": fact, "data_type": "string"})
    setup.workspace.attributes[fact]["options"] = ["serum", "cream"]
    setup.workspace.create_attribute({"name": "cio_tier", "data_type": "string", "model": "company"})
    _, told, _ = setup.run()
    differs = [line for line in told.splitlines() if line.startswith("differs: ")]
    rename = "give the audience another name in the policy"
    free = "have the name freed in Intercom, or give it a version suffix in contracts/fields.py"
    assert differs == [
        f"differs: attribute {flag} is string in Intercom and must be boolean; no type can be changed there: {rename}",
        f"differs: attribute cio_tier belongs to companies in Intercom; {free}",
        f"differs: attribute {fact} is a list of options in Intercom and must be free text; "
        f"no type can be changed there: {free}",
    ]
    assert "creates what does not exist" not in told


def test_attributes_of_companies_take_room_and_an_archived_namesake_of_a_live_one_is_none_of_our_business() -> None:
    theirs = [{"name": f"theirs_{n}", "custom": True, "model": ("contact", "company")[n % 2]} for n in range(249)]
    ours = (Field("cio_tier", "string", ""), Field("cio_moment", "string", ""))
    assert [one.what for one in compare(ours[:1], theirs)] == ["missing"]
    assert [one.what for one in compare(ours, theirs)] == ["missing", "missing", "limit"]
    live = {"name": "cio_tier", "custom": True, "model": "contact", "data_type": "string", "archived": False}
    old = live | {"archived": True, "data_type": "float"}
    assert compare(ours[:1], [live, old]) == compare(ours[:1], [old, live]) == ()


def test_what_intercom_does_not_accept_is_told_and_the_others_are_made(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = setup.workspace.create_attribute

    def reserved(body: dict[str, Any]) -> dict[str, Any]:
        if body["name"] == "cio_tier":
            raise Rejection(400, "parameter_invalid", "this name is reserved")
        return create(body)

    monkeypatch.setattr(setup.workspace, "create_attribute", reserved)
    code, told, _ = setup.run("--json")
    found = json.loads(told)
    [left] = found["differences"]
    assert (code, left["attribute"], left["what"]) == (1, "cio_tier", "refused")
    assert "(parameter_invalid)" in left["sentence"]
    assert found["created"] == [field.name for field in MANIFEST if field.name != "cio_tier"]


def test_attributes_are_made_for_the_api_alone_each_with_its_description(setup: Setup) -> None:
    bodies: list[dict[str, Any]] = []
    create = setup.workspace.create_attribute
    setup.workspace.create_attribute = lambda body: bodies.append(body) or create(body)  # type: ignore[method-assign,func-returns-value]
    assert setup.run()[0] == 0
    assert [(one["name"], one["description"]) for one in bodies] == [(one.name, one.description) for one in MANIFEST]
    assert all(one["model"] == "contact" and one["messenger_writable"] is False for one in bodies), (
        "a visitor's browser may not say who is vip"
    )


@pytest.mark.parametrize("policy", SHIPPED, ids=lambda path: path.stem)
@pytest.mark.parametrize("columns", [80, 120])
def test_the_steps_name_every_flag_and_every_event_of_each_shipped_policy(
    setup: Setup, policy: Path, columns: int
) -> None:
    rules = load(policy)
    code, told, _ = setup.run("--policy", str(policy), COLUMNS=str(columns))
    assert code == 0
    lines = told.splitlines()
    assert max(map(len, lines)) <= min(columns, WIDTH_MAX)
    assert max(map(len, lines)) > min(columns, WIDTH_MAX) - 10, "the width that there is, is used"
    for name, audience in rules.by_priority:
        flag = segment_field(name)
        assert f'   - "{spoken(name)} now": {flag} is true' in lines
        at = next(n for n, line in enumerate(lines) if line.endswith(f". Proactive message: {spoken(name)}"))
        assert lines[at + 1 : at + 3] == [f"   - Event: {audience.event}", f"   - Who: {flag} is true"]
    assert "First branch, where cio_tier is vip and cio_moment has any value: assign" in " ".join(told.split())
    assert f"last_cart_value is in {rules.currency}." in told
    assert '"Needs a person now", all of them together: cio_moment has any value' in told
    order = [line.partition(": ")[2] for line in lines if ". Proactive message: " in line]
    assert order == [spoken(name) for name, _ in rules.by_priority]


@pytest.mark.parametrize("policy", SHIPPED, ids=lambda path: path.stem)
def test_the_steps_name_no_attribute_that_does_not_exist_and_each_fact_of_a_sentence(policy: Path) -> None:
    rules = load(policy)
    known = {field.name for field in manifest(tuple(rules.audiences))}
    told = {step.title: step.lines for step in steps(rules)}
    named = " ".join(line for lines in told.values() for line in lines)
    assert set(re.findall(r"\b(?:cio|last|lifetime)_\w+", named)) <= known
    for name, audience in rules.audiences.items():
        about = [line for line in told[f"Proactive message: {spoken(name)}"] if line.startswith("Attributes")]
        facts = [fact for fact in places(audience.because) if fact in known]
        assert about == ([f"Attributes for the text: {', '.join(facts)}"] if facts else [])


def test_the_steps_name_what_an_event_carries() -> None:
    viewed = track("Product Viewed", "0m", item={"p": "serum"})
    told = Run().play([viewed, added("serum", 200, "1m")], until="3h").commands
    [activation] = [one for one in told if isinstance(one, Command) and one.event]
    assert activation.event is not None
    assert list(activation.event.metadata) == list(EVENT_FACTS)


def test_an_event_is_named_as_intercom_shows_it() -> None:
    assert event_name("Cart.Left for $5") == "Cart-Left for -5"
    assert (spoken("winback_vip"), spoken("high_aov_abandoner")) == ("Winback VIP", "High AOV abandoner")


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


def test_an_intercom_that_is_away_is_exit_2_and_no_answer_to_the_question(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "WAITS_MAX", 1)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        code, told, complaint = setup.run("--check", CONCIERGE_INTERCOM_URL=address)
    assert (code, told) == (2, "")
    assert "no connection" in complaint
