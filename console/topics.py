"""`concierge topics`: the topics in Kafka held against those that Concierge needs, and made where that is asked for."""

from typing import TYPE_CHECKING, Annotated

import typer

from console.command import NO, refusing

if TYPE_CHECKING:
    from agents.topic_plan import Difference

Apply = Annotated[bool, typer.Option("--apply", help="Make what is missing and set what is set otherwise.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the differences as JSON.")]


def topics(apply: Apply = False, json: AsJson = False) -> None:
    """Say how the topics in Kafka differ from what Concierge needs; make them only with --apply.

    Number of partitions and replicas: CONCIERGE_PARTITIONS and CONCIERGE_REPLICATION. Exit code 1 while anything differs.
    Look before you apply: a shorter retention deletes records.

    Example: CONCIERGE_KAFKA_BOOTSTRAP=localhost:9092 concierge topics --apply
    """
    import os

    from agents.kafka_topics import Unreachable, apply_topics, differences
    from agents.settings import Misconfigured, read_settings

    with refusing(Misconfigured, Unreachable):
        settings = read_settings(os.environ)
        done = apply_topics(settings) if apply else []
        left = differences(settings)
    if json:
        import msgspec

        told = {"applied": [_told(one) for one in done], "differences": [_told(one) for one in left]}
        typer.echo(msgspec.json.encode(told).decode())
    else:
        _print(done, left)
    if left:
        raise typer.Exit(NO)


def _told(difference: "Difference") -> dict[str, object]:
    return difference._asdict() | {"remedy": difference.remedy}


def _print(done: "list[Difference]", left: "list[Difference]") -> None:
    for difference in done:
        typer.echo(f"applied: {difference.topic}, {difference.what} {difference.wanted}")
    for difference in left:
        what_to_do = difference.remedy or "`concierge topics --apply` mends it"
        typer.echo(f"{'breaks' if difference.breaks else 'differs'}: {difference.sentence}; {what_to_do}")
    if not left:
        typer.echo("The topics are as they have to be.")
