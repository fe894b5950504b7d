"""`concierge certify`: production's log, judged once more, gives production's decisions; anybody may repeat it."""

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from console.command import NO, refusing
from console.inputs import instant, refusals, settings_of
from console.policy import shipped

if TYPE_CHECKING:
    from agents.kafka_log import Extent
    from backtests.certificate import Found, Span
    from contracts.logged import Logged

Archive = Annotated[
    Path | None, typer.Argument(metavar="[ARCHIVE]", help="An archive's folder. (default: the worker's own Kafka)")
]
From = Annotated[str | None, typer.Option("--from", help="Decisions from this instant on, included.")]
To = Annotated[str | None, typer.Option("--to", help="Decisions up to this instant, not included.")]
PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy", help="The workers' own file, in force until the log names another. (default: CONCIERGE_POLICY_FILE)"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the certificate as JSON.")]
SHOWN_MAX = 20


class Task(NamedTuple):
    """One partition, for a process of its own. archive is None where it is read from Kafka."""

    partition: int
    archive: Path | None
    log: "Extent | None"
    decisions: "Extent | None"
    policy: Path
    span: "Span"
    judged: int | None


def certify(
    archive: Archive = None, from_: From = None, to: To = None, policy: PolicyFile = None, json: AsJson = False
) -> None:
    """Judge the whole log once more and compare with the decisions that were written. Changes nothing.

    Settings are those of `concierge work`. Exit code 1 where anything differs, or where there is nothing to compare.

    Example: concierge certify --from 2026-11-01T00:00:00Z --to 2026-11-08T00:00:00Z
    """
    from backtests.certificate import Span, told
    from contracts.policy import PolicyError, load

    with refusing(PolicyError, ValueError, *refusals()):
        span = Span(instant("--from", from_) if from_ else None, instant("--to", to) if to else None)
        own = policy or Path(os.environ.get("CONCIERGE_POLICY_FILE") or shipped())
        load(own)
        tasks = _of_archive(archive, own, span) if archive is not None else _of_kafka(own, span)
        certificate = told(_all(tasks))
    cut = {str(task.partition): task.log.begin for task in tasks if task.log is not None and task.log.begin > 0}
    certificate |= {"from": from_, "to": to, "log_begins_late": cut}
    if json:
        import msgspec

        typer.echo(msgspec.json.encode(certificate).decode())
    else:
        _show(certificate)
    if certificate["matching"] < certificate["n"] or not certificate["n"]:
        raise typer.Exit(NO)


def _of_kafka(policy: Path, span: "Span") -> list[Task]:
    """What was committed is asked first and the log last, so that whatever is read in between has its cause in the log."""
    from agents import kafka_log
    from agents.topic_plan import APP_NAME
    from contracts.topics import DECISIONS, SIGNALS

    settings = settings_of(None)
    judged = kafka_log.committed(settings, SIGNALS.name, group=APP_NAME)
    written = kafka_log.extents(settings, DECISIONS.name)
    log = kafka_log.extents(settings, SIGNALS.name)
    return [
        Task(number, None, extent, written.get(number), policy, span, judged.get(number, 0))
        for number, extent in log.items()
    ]


def _of_archive(folder: Path, policy: Path, span: "Span") -> list[Task]:
    from agents.kafka_log import Extent
    from backtests import archive
    from backtests.history import HistoryError

    if not archive.is_archive(folder):
        raise HistoryError(f"{folder}: is no archive; name a folder that `concierge archive` has written")
    judged = archive.judged(folder)
    log = archive.pieces(folder / "signals")
    return [
        Task(number, folder, Extent(held[0].first, held[-1].last + 1), None, policy, span, judged.get(number))
        for number, held in sorted(log.items())
    ]


def _all(tasks: list[Task]) -> "Iterable[Found]":
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(min(len(tasks) or 1, os.cpu_count() or 1), get_context("spawn")) as pool:
        yield from pool.map(one, tasks)


def one(task: Task) -> "Found":
    """Certifies one partition; runs in a process of its own."""
    from backtests.certificate import certify as certified
    from contracts.policy import load
    from contracts.topics import DECISIONS, SIGNALS

    log = partial(_records, task, SIGNALS.name, task.log)
    written = _records(task, DECISIONS.name, task.decisions)
    return certified(task.partition, log, written, load(task.policy), span=task.span, judged=task.judged)


def _records(task: Task, topic: str, extent: "Extent | None") -> "Iterable[Logged]":
    from agents import kafka_log
    from backtests import archive

    if task.archive is not None:
        return archive.records(task.archive / topic, partition=task.partition)
    if extent is None:
        return ()
    return kafka_log.read(settings_of(None), topic, partitions={task.partition: extent})


def _show(told: dict[str, Any]) -> None:
    from rich.console import Console

    from console.table import say

    console = Console(highlight=False, emoji=False)
    if not told["n"]:
        say(console, "Nothing to compare: no decision was written in this span.")
    else:
        n = f"{told['n']:,}".replace(",", " ")
        say(console, f"match {told['match_percent']:.3f} % (n = {n}), hash {told['hash']}")
    if told["repeats"]:
        say(console, f"{told['repeats']} decisions stand twice, after a crash; each counts once")
    if told["waiting"]:
        say(console, f"{told['waiting']} more follow from records that production has not judged yet")
    for partition, offset in told["log_begins_late"].items():
        say(console, f"partition {partition} begins at {offset}: whom it had known before is not known here")
    for one_of in told["differences"][:SHOWN_MAX]:
        say(
            console,
            f"{one_of['person']}, policy {one_of['policy']}: {one_of['episode']} {one_of['decided']} at {one_of['at']}: "
            f"{one_of['what']}; first differing input: {one_of['input'] or 'none in the log'}",
        )
    if len(told["differences"]) > SHOWN_MAX:
        say(console, f"... and {len(told['differences']) - SHOWN_MAX} people more; --json has them")
