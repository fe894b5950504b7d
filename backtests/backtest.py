"""A backtest: a raw history judged by a policy, as files that a person and the other tools can read.

`run` sends nothing. It writes DIR/decisions.jsonl (one Decision a line, in order of log position), DIR/summary.json and,
where lines could not be read, DIR/quarantine.jsonl. The same input and policy give the same bytes anywhere.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from backtests import history as histories
from backtests.history import SPOOL_BUFFER_BYTES, History, HistoryError, Reader
from backtests.replay import replay
from backtests.summary import Summary, instant, population
from backtests.tables import Progress, quiet
from contracts import decisions
from contracts.policy import Policy
from contracts.signals import PersonSignal
from streams.partition import Partition
from streams.person import Person


def run(
    source: Path | Reader,
    policy: Policy,
    *,
    out: Path,
    until_ms: int | None = None,
    reading: Progress = quiet,
    judging: Progress = quiet,
) -> dict[str, Any]:
    """The summary, as written. HistoryError when the input cannot be read or `out` cannot be written.

    source: a file of calls, or who reads another kind of history. reading, judging: told (bytes or records, all of them) while
    the input is read, (signals, all signals) while it is judged.
    """
    read = histories.of_file(source) if isinstance(source, Path) else source
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "summary.json").unlink(missing_ok=True)  # written last: where it stands, the rest is whole
        with ExitStack() as stack:
            spool = stack.enter_context(tempfile.TemporaryFile(dir=out, buffering=SPOOL_BUFFER_BYTES))
            quarantine = stack.enter_context((out / "quarantine.jsonl").open("wb"))
            written = stack.enter_context((out / "decisions.jsonl").open("wb"))
            history = read(spool=spool, quarantine=quarantine, progress=reading)
            told = _judge(history, policy, until_ms, written, judging)
        if not history.rejected:
            (out / "quarantine.jsonl").unlink()
        (out / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")
    except OSError as error:
        raise HistoryError(f"{out}: cannot be written ({error.strerror or error}); choose another --out") from None
    return told


def _judge(history: History, policy: Policy, until_ms: int | None, written: Any, judging: Progress) -> dict[str, Any]:
    people: dict[str, Person] = {}
    span = _Span(judging, len(history), until_ms)
    summary = Summary()
    for effects in replay(span.watch(history.signals()), Partition(policy, people), until_ms=until_ms):
        for decision in sorted(effects.decisions, key=lambda decision: decision.at):  # one mark may bring many instants
            summary.count(decision)
            written.write(decisions.encode(decision) + b"\n")
        for trouble in effects.troubles:
            summary.notice(trouble)
    return {
        "policy": policy.hash,
        "lines": history.lines,
        "calls": history.calls,
        "rejected": dict(sorted(history.rejected.items())),
        "ignored": dict(sorted(history.ignored.items())),
        "sorted": not history.in_order,
        "after_until": len(history) - span.count,
        "first": instant(span.first_ms),
        "last": instant(span.last_ms),
        "until": instant(until_ms if until_ms is not None else span.last_ms),
        **population(people),
        **summary.told(),
    }


class _Span:
    """Watches the signals go by: how many are within the time of the replay, the first and the last of them."""

    def __init__(self, progress: Progress, total: int, until_ms: int | None) -> None:
        self.count = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self._progress, self._total, self._until_ms = progress, total, until_ms

    def watch(self, signals: Iterable[PersonSignal]) -> Iterator[PersonSignal]:
        for signal in signals:
            if self._until_ms is None or signal.accepted_ms <= self._until_ms:
                self.count += 1
                self.first_ms = signal.accepted_ms if self.first_ms is None else self.first_ms
                self.last_ms = signal.accepted_ms
            self._progress(self.count, self._total)
            yield signal
