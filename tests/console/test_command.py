"""The command: help with an example, one sentence where something is wrong, exit codes 0, 1 and 2."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli import app
from console.command import refusing
from tests.policy.broken import BROKEN

ROOT = Path(__file__).resolve().parents[2]
PERSONA = ROOT / "tests" / "personas" / "leaves-a-cart-then-buys.yaml"
POLICY = ROOT / "policies" / "skincare.yaml"
VERBS = [name for command in app.registered_commands if (name := command.name) is not None]


def _run(*words: str) -> tuple[int, str, str]:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    "words", [[verb] for verb in VERBS] + [["policy", "check"], ["policy", "diff"], ["policy", "deploy"]], ids="-".join
)
def test_every_verb_has_help_with_an_example(words: list[str]) -> None:
    code, told, _ = _run(*words, "--help")
    assert code == 0
    assert "Example: " in told and f"concierge {' '.join(words)}" in told


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["flaunt"], "No such command 'flaunt'"),
        (["rehearse"], "Missing argument 'FILE|DIR'"),
        (["rehearse", "x", "--polcy", "y"], "No such option: --polcy"),
        (["rehearse", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["rehearse", str(PERSONA), "--policy", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["import", "nowhere.csv", "--out", "x"], "name a preset (rees46, online-retail)"),
        (["import", "rees47", "nowhere.csv", "--out", "x"], "name a preset"),
        (["import", "rees46", "nowhere.csv"], "Missing option '--out'"),
        (["import", "rees46", "nowhere.csv", "--out", "x"], "nowhere.csv: cannot be read"),
        (["import", "a", "b", "--mapping", "m.yaml", "--out", "x"], "either a preset or --mapping"),
        (["import", "b", "--mapping", "nowhere.yaml", "--out", "x"], "nowhere.yaml: cannot be read"),
        (["backtest", "nowhere.jsonl", "--out", "x"], "nowhere.jsonl: cannot be read"),
        (["backtest", str(PERSONA), "--out", "x", "--until", "later"], "--until: not an RFC 3339 instant"),
        (["policy", "check", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["backtest", "kafka://nowhere", "--out", "x"], "write kafka://HOST:PORT/TOPIC"),
        (["compare", "nowhere.jsonl"], "Missing option '--candidate' (or '--sweep')"),
        (["compare", "nowhere.jsonl", "--candidate", str(POLICY)], "nowhere.jsonl: cannot be read"),
        (["compare", "nowhere.jsonl", "--sweep", "cart_value"], "such as cart_value=100..300:25"),
        (
            ["compare", "nowhere.jsonl", "--candidate", str(POLICY), "--from", "later"],
            "--from: not an RFC 3339 instant",
        ),
        (["certify"], "CONCIERGE_KAFKA_BOOTSTRAP"),
        (["certify", "nowhere"], "nowhere: is no archive"),
        (["archive", "x"], "CONCIERGE_KAFKA_BOOTSTRAP"),
        (["policy", "diff", "nowhere.yaml", str(POLICY)], "nowhere.yaml: cannot be read"),
        (["policy", "deploy", "nowhere.yaml"], "CONCIERGE_KAFKA_BOOTSTRAP"),
        (["erase", "id:u-1"], "CONCIERGE_KAFKA_BOOTSTRAP"),
        (["receive"], "CONCIERGE_KAFKA_BOOTSTRAP"),
        (["work"], "CONCIERGE_KAFKA_BOOTSTRAP"),
    ],
)
def test_a_misuse_is_told_in_one_sentence_with_exit_code_2(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONCIERGE_KAFKA_BOOTSTRAP", raising=False)
    code, told, complaint = _run(*words)
    assert (code, told) == (2, "")
    assert complaint.startswith("concierge: ") and sentence in complaint
    assert len(complaint.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [], "nothing is written because of a misuse"


def test_a_persona_that_holds_is_0_and_one_that_fails_is_1_with_expected_beside_actual(tmp_path: Path) -> None:
    code, told, _ = _run("rehearse", str(PERSONA))
    assert (code, "1 passed, 0 failed" in told) == (0, True)
    spoiled = tmp_path / "spoiled.yaml"
    spoiled.write_text(PERSONA.read_text(encoding="utf-8").replace("{at: 2h, aud", "{at: 2h1m, aud"), encoding="utf-8")
    code, told, _ = _run("rehearse", str(spoiled))
    assert code == 1
    row = next(line for line in told.splitlines() if "expect[0]" in line)
    assert "at: 2h1m" in row and "at: 2h," in row
    code, told, _ = _run("rehearse", str(spoiled), "--json")
    assert (code, json.loads(told)["failed"]) == (1, 1)


def test_rehearse_runs_a_whole_folder_with_the_shipped_policy_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, told, _ = _run("rehearse", str(PERSONA.parent), "--json")
    assert code == 0
    assert json.loads(told)["passed"] == len(list(PERSONA.parent.glob("*.yaml")))


def test_import_then_backtest_prints_facts_as_json_and_progress_beside_them(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "event_time,event_type,product_id,category_code,brand,price,user_id\n"
        "2019-10-01 00:00:00 UTC,cart,1,,,200,u-1\n2019-10-01 00:00:01 UTC,view,1,,\n",
        encoding="utf-8",
    )
    events, out = tmp_path / "events.jsonl", tmp_path / "out"
    code, told, _ = _run("import", "rees46", str(rows), "--out", str(events), "--json")
    assert (code, json.loads(told)["calls"], json.loads(told)["rejected"]) == (0, 1, 1)
    assert Path(json.loads(told)["rejects"]).read_text(encoding="utf-8").count("\n") == 1

    words = ("backtest", str(events), "--policy", str(POLICY), "--out", str(out), "--until", "2019-10-01T02:00:00Z")
    code, told, beside = _run(*words, "--json")
    assert (code, json.loads(told)["decisions"]) == (0, 1)
    assert "judging" in beside
    code, told, _ = _run(*words)
    assert (code, "high_aov_abandoner" in told) == (0, True)


def test_a_policy_is_checked(tmp_path: Path) -> None:
    code, told, _ = _run("policy", "check", str(POLICY), "--json")
    assert (code, "high_aov_abandoner" in json.loads(told)["audiences"]) == (0, True)
    bad = tmp_path / "bad.yaml"
    bad.write_text(POLICY.read_text(encoding="utf-8").replace("share: 0.10", "shore: 0.10"), encoding="utf-8")
    code, _, complaint = _run("policy", "check", str(bad))
    assert code == 2
    assert "did you mean `share`" in complaint and "bad.yaml:" in complaint


def test_every_broken_policy_is_told_with_line_and_remedy_and_the_shipped_ones_pass(tmp_path: Path) -> None:
    for good in sorted((ROOT / "policies").glob("*.yaml")):
        assert _run("policy", "check", str(good))[0] == 0
    bad = tmp_path / "bad.yaml"
    for broken in BROKEN:
        bad.write_text(POLICY.read_text(encoding="utf-8").replace(broken.old, broken.new, 1), encoding="utf-8")
        code, told, complaint = _run("policy", "check", str(bad))
        assert (code, told) == (2, ""), broken.what
        assert broken.sentence in complaint and complaint.startswith(f"concierge: {bad}:"), broken.what


def test_an_unexpected_error_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), refusing(ValueError):
        raise ZeroDivisionError


def test_the_command_starts_without_loading_what_only_its_verbs_need() -> None:
    heavy = "{'faust', 'pyarrow', 'duckdb', 'httpx', 'aiokafka', 'uvicorn', 'yaml', 'pydantic'}"
    script = f"import sys, console.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
