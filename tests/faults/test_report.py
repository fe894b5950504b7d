"""docs/promises.md says what docs/faults.json says, and the words of an outcome are earned."""

from tests.faults import report
from tests.faults.__main__ import EXPERIMENTS
from tests.faults.bugs import CONSUMER_BUGS, OTHER_BUGS
from tests.faults.performance import Result


def test_the_page_is_what_the_results_give() -> None:
    page = report.PAGE.read_text()
    between = page.partition(report.BEGIN)[2].partition(report.END)[0].strip()
    assert between == report.tables(EXPERIMENTS, report.kept())


def test_what_was_not_run_is_said() -> None:
    page = report.tables(EXPERIMENTS, [])
    assert page.count("| not run |") >= len(EXPERIMENTS)
    assert "held |" not in page


def test_a_red_result_is_told_with_its_first_line() -> None:
    name = EXPERIMENTS[0].name
    red = Result(name, 3, None, "red", "killed", 7, 1.0, ["id:u1: lost"], {"decisions": 4})
    page = report.tables(EXPERIMENTS, [red])
    assert f"| {name} |" in page and "red (id:u1: lost)" in page
    assert "0 of 1 held" in page


def test_every_experiment_has_a_bug_and_every_bug_an_experiment() -> None:
    known = {*CONSUMER_BUGS, *OTHER_BUGS, "answers_first"}
    assert {experiment.bug for experiment in EXPERIMENTS} == known
    assert len({experiment.name for experiment in EXPERIMENTS}) == len(EXPERIMENTS)


def test_a_held_run_that_was_later_than_the_limit_is_not_counted_for_it() -> None:
    name = EXPERIMENTS[0].name
    late = Result(name, 3, None, "held", "killed", 7, 1.0, [], {"nudge_after_purchase_ms": 10_001})
    page = report.tables(EXPERIMENTS, [late])
    assert "held, but P4: shown too late" in page
    [row] = [line for line in page.splitlines() if line.startswith("| P4 ")]
    assert "| 0 of 1 held |" in row


def test_decisions_are_told_beside_those_of_the_calm_run() -> None:
    name = EXPERIMENTS[0].name
    held = Result(name, 3, None, "held", "killed", 7, 1.0, [], {"decisions": 4, "decisions_apart": 0})
    planted = Result(name, 3, EXPERIMENTS[0].bug, "red", "killed", 7, 1.0, ["decision id:u1: only live"], {})
    page = report.tables(EXPERIMENTS, [held, planted])
    assert "| 4 compared, 0 different |" in page
    assert f"{EXPERIMENTS[0].bug}: red (decision id:u1: only live)" in page
    stale = report.tables(EXPERIMENTS, [held, planted._replace(bug="a bug of yesterday")])
    assert f"{EXPERIMENTS[0].bug}: not run" in stale
