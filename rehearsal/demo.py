"""`concierge demo`: a simulated day of a shop through the whole of Concierge, watched, and at the end checked.

Everything is real but the shop, the clock and Intercom: receiver and worker are the processes that run in production. It
ends by itself; exit 0 means that every line of the summary held.
"""

import asyncio
import contextlib
import io
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from rich.console import Console
from rich.live import Live

from agents.topic_plan import TABLES, changelog
from contracts.instant import HOUR_MS
from contracts.topics import OURS
from rehearsal import demo_kafka, shop, view
from rehearsal.broker import embedded_broker
from rehearsal.demo_checks import HOLD_WALL_MS, LINES_MAX, Check, summary
from rehearsal.demo_comparison import compare
from rehearsal.demo_feed import play
from rehearsal.demo_parts import PartFailed
from rehearsal.demo_setup import SPEED, Stage, stage

DAY_SECONDS = 60.0
PEOPLE_A_DAY = 400
LATE_WALL_MS = 10_000  # a shop that a slow machine keeps from posting in time closes so long after the day
SETTLE_WALL_MS = 1_500  # a person whose newest decision is younger is not held to it yet
QUIET_SECONDS_MAX = 40.0  # for Intercom to equal the decisions once the day is over
LOOK_SECONDS = 0.25  # between two comparisons, and between two frames
LINE_SECONDS = 5.0  # between two lines where there is no terminal
PICTURE_AT = 0.6  # of the day: the busy afternoon


class Options(NamedTuple):
    seed: int
    picture: Path | None
    seconds: float
    live: bool
    embedded: bool


def run(*, broker: str | None, seed: int, picture: Path | None, seconds: float | None, plain: bool) -> int:
    """Play `seconds` (default a day in a minute) on the embedded broker, or on `broker`, HOST:PORT.

    0 when every check holds, 1 when one does not or a part failed, 2 when the broker cannot be used, 130 when broken off.
    """
    console = Console(highlight=False, width=None if sys.stdout.isatty() else view.COLUMNS)
    options = Options(seed, picture, seconds or DAY_SECONDS, console.is_terminal and not plain, broker is None)
    console.print(f"Concierge demo, seed {seed}: starting broker, rehearsal Intercom, receiver and worker", style="dim")
    try:
        with tempfile.TemporaryDirectory(prefix="concierge-demo-") as directory, _broker(broker) as bootstrap:
            checks = asyncio.run(_perform(bootstrap, Path(directory), options, console))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("stopped; everything that was started is ended")
        return 130
    except PartFailed as failed:
        console.print(str(failed), markup=False, style="red")
        return 1
    except demo_kafka.Unsuitable as unsuitable:
        print(f"concierge: {unsuitable}", file=sys.stderr)
        return 2
    return 0 if all(check.held for check in checks) else 1


@contextlib.contextmanager
def _broker(broker: str | None) -> Iterator[str]:
    if broker is None:
        names = [*(topic.name for topic in OURS), *map(changelog, TABLES)]  # this broker makes none when asked later
        with embedded_broker(names) as bootstrap:
            yield bootstrap
        return
    before = demo_kafka.prepare(broker)
    try:
        yield broker
    finally:
        demo_kafka.restore(broker, before)


async def _perform(bootstrap: str, directory: Path, options: Options, console: Console) -> list[Check]:
    task = asyncio.current_task()
    assert task is not None, "runs in a task"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    film = Console(record=True, width=view.COLUMNS, file=io.StringIO(), force_terminal=True)
    async with stage(bootstrap, directory, embedded=options.embedded) as running:
        await _live(running, options, console, film)
        checks = summary(running.evidence)
    told = view.verdict(checks, LINES_MAX)
    console.print(told)
    film.print(told)
    if options.picture is not None:
        options.picture.write_text(film.export_svg(title="concierge demo"))
    return checks


async def _live(running: Stage, options: Options, console: Console, film: Console) -> None:
    """Play the day to its end and until Intercom has held still, drawing all the while."""
    evidence, clock = running.evidence, running.clock
    length_ms = int(options.seconds * 1000 * SPEED)
    end_ms = clock.origin_ms + length_ms
    people = max(1, round(PEOPLE_A_DAY * length_ms / HOUR_MS / 24))
    rng = Random(options.seed)
    messages = shop.day(rng, start_ms=clock.origin_ms, hours=length_ms / HOUR_MS, people=people)
    until_wall_ms = evidence.wall_ms(end_ms) + LATE_WALL_MS
    feed = asyncio.create_task(
        play(messages, url=running.receiver, signer=running.signer, evidence=evidence, until_wall_ms=until_wall_ms)
    )
    film_ms: int | None = clock.origin_ms + int(length_ms * PICTURE_AT)
    rate, quiet_from, line_at = view.Rate(), 0.0, 0.0
    screen = Live(console=console, auto_refresh=False, transient=True) if options.live else None
    try:
        with screen or contextlib.nullcontext():
            while not (quiet_from and _quiet(running, quiet_from)):
                running.check()
                now_ms = clock.now_ms()
                drawn = view.picture(
                    evidence,
                    now_ms=min(now_ms, end_ms),
                    start_ms=clock.origin_ms,
                    end_ms=end_ms,
                    rate=rate.now(evidence),
                )
                if film_ms is not None and now_ms >= film_ms:
                    film.print(drawn)
                    film_ms = None
                if screen is not None:
                    screen.update(drawn, refresh=True)
                elif time.monotonic() >= line_at:
                    console.print(
                        view.line(evidence, now_ms=min(now_ms, end_ms), rate=rate.now(evidence)), soft_wrap=True
                    )
                    line_at = time.monotonic() + LINE_SECONDS
                if feed.done():
                    feed.result()
                    if now_ms >= end_ms:
                        quiet_from = quiet_from or time.monotonic()
                await asyncio.sleep(LOOK_SECONDS)
    finally:
        feed.cancel()
        await asyncio.gather(feed, return_exceptions=True)


def _quiet(running: Stage, since: float) -> bool:
    """Compare once more; whether Intercom has equalled the decisions over the whole hold, or time is up."""
    evidence = running.evidence
    if evidence.log_ms is None or evidence.log_ms < max((s.at_ms for s in evidence.sent.values()), default=0):
        return time.monotonic() - since > QUIET_SECONDS_MAX
    latest = compare(evidence, time.time_ns() // 1_000_000, settle_wall_ms=SETTLE_WALL_MS)
    if latest.differing or any(one.differing for one in evidence.comparisons):
        evidence.comparisons.clear()
    evidence.comparisons.append(latest)
    held_ms = latest.wall_ms - evidence.comparisons[0].wall_ms
    steady = held_ms >= HOLD_WALL_MS and any(one.unsettled == 0 for one in evidence.comparisons)
    return (steady and not latest.differing) or time.monotonic() - since > QUIET_SECONDS_MAX
