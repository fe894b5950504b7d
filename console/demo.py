"""`concierge demo`: a day of a simulated shop, watched and at the end checked."""

from pathlib import Path
from typing import Annotated

import typer

SEED = 1  # any number makes a day; this one is in the README

Broker = Annotated[
    str | None, typer.Option("--broker", help="HOST:PORT of a real Kafka. (default: one in this process)")
]
Seed = Annotated[int, typer.Option("--seed", help="Which day to play.")]
Picture = Annotated[Path | None, typer.Option("--picture", help="Write the picture of the running demo there (SVG).")]
Seconds = Annotated[float | None, typer.Option("--seconds", min=1, help="How long the day takes. (default: about 60)")]
Plain = Annotated[bool, typer.Option("--plain", help="Lines instead of a live view.")]


def demo(
    broker: Broker = None, seed: Seed = SEED, picture: Picture = None, seconds: Seconds = None, plain: Plain = False
) -> None:
    """Play a day of a simulated shop through everything, in about a minute, with a checked summary.

    Exit code 1 when a check does not hold.

    Example: concierge demo --seed 7

    Example: concierge demo --broker localhost:9092
    """
    from rehearsal.demo import run

    raise typer.Exit(run(broker=broker, seed=seed, picture=picture, seconds=seconds, plain=plain))
