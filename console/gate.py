"""The gate of `concierge policy deploy` and the measure of `concierge policy diff`: two policies over the last days."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from console.command import NO
from console.inputs import opened, own_log, reader
from console.progress import bars

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.kafka_log import Extent
    from agents.settings import Settings
    from backtests.gate import Moved
    from contracts.policy import Policy

NEWEST_RECORDS = 50_000  # of the log, looked at first for a policy; a second's reading


class Measured(NamedTuple):
    """told: see backtests.compare; moved: what is beyond the limit."""

    told: dict[str, Any]
    moved: "list[Moved]"


def measure(source: str, base: "Policy", candidate: "Policy", *, from_ms: int | None, limit: float) -> Measured:
    """What reading refuses. from_ms: moments before it are not counted, the history before it makes people known."""
    from backtests.compare import compare
    from backtests.gate import verdict
    from backtests.traces import Traces

    read = reader(source)
    with bars("reading") as (reading,), opened(read, reading) as history, tempfile.TemporaryFile() as kept:
        traces = Traces(kept)
        found = compare(history.signals(), base, candidate, traces=traces, from_ms=from_ms)
    return Measured(found.told, verdict(found.told, limit=limit))


def keep(
    file: Path,
    candidate: "Policy",
    settings: "Settings",
    days: int,
    warm_up_ms: int,
    limit: float,
    history: str | None,
    *,
    quiet: bool,
) -> None:
    """Leaves with exit code 1 where the candidate moves too many moments; says what it measured, unless quiet.

    The policy in force is the one that the log named last, else the workers' own file.
    """
    from contracts.instant import DAY_MS, to_rfc3339
    from contracts.policy import load, parse

    text = newest_ruled(settings)
    base = parse(text, name="the policy in force") if text is not None else load(settings.policy_file)
    now_ms = settings.clock_port().now_ms()
    from_ms = now_ms - days * DAY_MS
    read_from = to_rfc3339(from_ms - warm_up_ms)
    source = history or f"{own_log(settings)}?from={read_from}"
    measured = measure(source, base, candidate, from_ms=from_ms, limit=limit)
    if measured.moved:
        typer.echo(f"{file} is not deployed. Over the last {days} days, against the policy in force:", err=True)
        tell(measured, limit, err=True)
        typer.echo("See who and why with `concierge compare`; deploy it all the same with --accept.", err=True)
        raise typer.Exit(NO)
    if not quiet:
        tell(measured, limit)


def tell(measured: Measured, limit: float, *, err: bool = False) -> None:
    """How many moments there are under each, and which audiences are beyond the limit."""
    entrants = measured.told["entrants"]
    if not entrants["base"] and not entrants["candidate"]:
        typer.echo("The history has no moment under either policy, so nothing could be measured.", err=err)
        return
    typer.echo(f"{entrants['base']:,} moments under the base, {entrants['candidate']:,} under the candidate.", err=err)
    for one in measured.moved:
        share = f"{one.share:+.0%}" if one.share is not None else "there were none"
        typer.echo(f"{one.audience}: {one.base:,} -> {one.candidate:,} ({share}), beyond {limit:.0%}", err=err)


def newest_ruled(settings: "Settings") -> str | None:
    """The text of the policy that was deployed last, as the log's first partition holds it; None where none stands in it."""
    import msgspec

    from agents import kafka_log
    from contracts import signals
    from contracts.topics import SIGNALS

    whole = kafka_log.extents(settings, SIGNALS.name).get(0, kafka_log.Extent(0, 0))
    for part in _from_the_end(whole):
        text = None
        for record in kafka_log.read(settings, SIGNALS.name, partitions={0: part}):
            if b'"t":"ruled"' not in record.value:
                continue
            try:
                signal = signals.decode(record.value)
            except msgspec.DecodeError:
                continue
            if isinstance(signal, signals.Ruled):
                text = signal.text
        if text is not None:
            return text
    return None


def _from_the_end(whole: "Extent") -> "Iterator[Extent]":
    """Parts of it, the newest first, each twice as long as the one before: little is read of a log that was ruled lately."""
    end, length = whole.end, NEWEST_RECORDS
    while end > whole.begin:
        begin = max(whole.begin, end - length)
        yield whole._replace(begin=begin, end=end)
        end, length = begin, 2 * length
