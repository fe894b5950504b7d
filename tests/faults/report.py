"""What the runs came to: kept in docs/faults.json, and written from there into the marked part of docs/promises.md.

`make faults ARGS=--page` writes the page again from the file; a test compares the two.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.faults.performance import NUDGE_MS_MAX, Experiment, Result

DOCS = Path(__file__).parents[2] / "docs"
RESULTS, PAGE = DOCS / "faults.json", DOCS / "promises.md"
BEGIN, END = "<!-- begin: written by make faults from docs/faults.json -->", "<!-- end -->"
LINE_CHARS = 120  # of what was wrong, that the page tells


class Promise(NamedTuple):
    """figures: names in a result's figures that measure it, with the words for the page."""

    name: str
    says: str
    bound: str
    figures: dict[str, str]
    elsewhere: str = ""


PROMISES = (
    Promise(
        "P1", "What we acknowledged is in the log", "none missing; 503 within 4 s where Kafka is away (1 s is meant)",
        {"refused": "posts refused", "slowest_refusal_ms": "slowest refusal, ms"},
    ),
    Promise(
        "P2", "State equals an independent computation over the de-duplicated log", "no difference",
        {"decisions": "decisions compared with a calm replay", "decisions_apart": "different", "people": "people compared",
         "repeats": "repeats in the log"},
        "the policy's whole meaning: `tests/oracle/`",
    ),
    Promise("P3", "Each episode is flagged once", "none twice", {"decisions": "decisions"}),
    Promise(
        "P4", "Nobody who bought is nudged beyond the stated delay",
        "shown at most 10 s after an acknowledged purchase (the settle time is 2 s here), and taken back",
        {"nudges_after_purchase": "shown after a purchase", "nudge_after_purchase_ms": "at most so late, ms",
         "ends": "taken back by a purchase", "end_max_ms": "slowest, ms"},
        "the fault's own time included",
    ),
    Promise(
        "P5", "When the world is quiet, Intercom shows what the state says", "no difference, twice, 10 s apart",
        {"writes": "writes to Intercom", "probe_begin_ms": "probe shown, ms", "probe_end_ms": "probe taken back, ms"},
    ),
    Promise("P6", "A contact never goes back to an older revision", "none", {"writes": "writes in order"}),
    Promise(
        "P7", "One bad message costs its neighbours less than a second and can be recovered byte for byte",
        "1 s; every byte", {"poison_neighbour_extra_ms": "calls behind poison over the others, median ms"},
    ),
    Promise(
        "P8", "Nothing grows without a limit",
        "a person's record below 100 kB; in five minutes, memory, records and compacted changelogs level off",
        {"largest_record_bytes": "largest record, bytes", "calls_a_person": "calls a person",
         "half_record_mean_bytes": "mean record at half-time, bytes", "record_mean_bytes": "at the end",
         "worker_resident_bytes": "worker resident at most, bytes",
         "worker_last_third_growth_bytes": "grown in the last third",
         "receiver_resident_bytes": "receiver", "receiver_last_third_growth_bytes": "grown",
         "people_changelog_kept_percent": "people's changelog kept, %"},
        "months: not run",
    ),
    Promise("P9", "A replay sends nothing", "no network reachable", {}, "`tests/architecture/` (imports), no experiment"),
    Promise(
        "P10",
        "An erased person is gone from state and Intercom and stays gone",
        "none; from topics when their retention is over",
        {},
        "`tests/console/test_erase.py`, `tests/oracle/`; no experiment",
    ),
)  # fmt: skip
EVERYWHERE = {"P4": "every one", "P5": "every one", "P6": "every one"}  # what each aftermath looks at


def kept() -> list[Result]:
    return msgspec.json.decode(RESULTS.read_bytes(), type=list[Result]) if RESULTS.exists() else []


def keep(result: Result) -> None:
    """A newer result of the same experiment and bug takes the place of the older one."""
    others = [one for one in kept() if (one.experiment, one.bug) != (result.experiment, result.bug)]
    results = sorted([*others, result], key=lambda one: (one.experiment, one.bug or ""))
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def write(experiments: Sequence[Experiment]) -> None:
    """The marked part of the page, from the file."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{tables(experiments, kept())}\n{END}{after}")


def tables(experiments: Sequence[Experiment], results: Sequence[Result]) -> str:
    plain = {one.experiment: one for one in results if one.bug is None}
    bugs = {(one.name, one.bug) for one in experiments}
    planted = {one.experiment: one for one in results if (one.experiment, one.bug) in bugs}
    lines = ["| promise | bound | shown by | n | result | measured |", "|---|---|---|--:|---|---|"]
    lines += [_promise(promise, experiments, plain) for promise in PROMISES]
    head = (
        "experiment",
        "fault",
        "seen to bite",
        "seed",
        "n",
        "result",
        "decisions, beside a calm run",
        "s",
        "with its bug",
    )
    lines += ["", f"| {' | '.join(head)} |"]
    lines += ["|---|---|---|--:|--:|---|---|--:|---|"]
    lines += [_experiment(one, plain.get(one.name), planted.get(one.name)) for one in experiments]
    return "\n".join(lines)


def _promise(promise: Promise, experiments: Sequence[Experiment], plain: dict[str, Result]) -> str:
    concerned = [e.name for e in experiments if promise.name in e.promises or promise.name in EVERYWHERE]
    ran = [plain[name] for name in concerned if name in plain and plain[name].outcome != "not run"]
    shown = EVERYWHERE.get(promise.name) or ", ".join(concerned)
    shown = "; ".join(part for part in (shown, promise.elsewhere) if part)
    held = sum(one.outcome == "held" and not (promise.name == "P4" and _late(one)) for one in ran)
    result = f"{held} of {len(ran)} held" if ran else "not run"
    measured = "; ".join(
        f"{words} {_told(name, [one.figures[name] for one in ran if name in one.figures])}"
        for name, words in promise.figures.items()
        if any(name in one.figures for one in ran)
    )
    n = sum(one.n for one in ran)
    return f"| {promise.name} {promise.says} | {promise.bound} | {shown} | {n or '-'} | {result} | {measured or '-'} |"


def _told(name: str, values: Iterable[float]) -> str:
    """Delays and sizes by their worst, everything else by its sum."""
    found = list(values)
    return f"{round(max(found))}" if name.endswith(("_ms", "_bytes", "_percent")) else f"{round(sum(found))}"


def _experiment(experiment: Experiment, plain: Result | None, planted: Result | None) -> str:
    if plain is None:
        return f"| {experiment.name} | {experiment.fault} | - | - | - | not run | - | - | {_bug(experiment, planted)} |"
    result = plain.outcome + (f" ({_short(plain.lines[0])})" if plain.lines and plain.outcome != "held" else "")
    result += ", but P4: shown too late" if plain.outcome == "held" and _late(plain) else ""
    return (
        f"| {experiment.name} | {experiment.fault} | {plain.bite or '-'} | {plain.seed} | {plain.n} | {result} "
        f"| {_equal(plain)} | {plain.seconds:g} | {_bug(experiment, planted)} |"
    )


def _late(result: Result) -> bool:
    """Of a run from before the limit was held against it."""
    return result.figures.get("nudge_after_purchase_ms", 0) > NUDGE_MS_MAX


def _equal(result: Result) -> str:
    """How many decisions were compared with a calm replay of the same log, and how many were not the same."""
    if "decisions_apart" not in result.figures:
        return "-"
    return f"{result.figures['decisions']:g} compared, {result.figures['decisions_apart']:g} different"


def _bug(experiment: Experiment, planted: Result | None) -> str:
    """With the first thing that was wrong, which is why it is red."""
    if planted is None:
        return f"{experiment.bug}: not run"
    why = f" ({_short(planted.lines[0])})" if planted.lines else ""
    return f"{experiment.bug}: {planted.outcome}{why}"


def _short(line: str) -> str:
    return line.replace("|", "/").partition("\n")[0][:LINE_CHARS]
