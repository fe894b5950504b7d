"""`concierge erase`: people are to be forgotten."""

from typing import Annotated

import typer

from console.command import refusing

Keys = Annotated[list[str], typer.Argument(metavar="KEY...", help="The person as in decisions: id:..., email:...")]
AsJson = Annotated[bool, typer.Option("--json", help="Print how many were asked for as JSON.")]


def erase(keys: Keys, json: AsJson = False) -> None:
    """Forget people: end their moments, clear their contacts in Intercom, and keep nothing but that they are erased.

    Settings are those of `concierge work`; a running worker does it within seconds, under every key that the person had. It is
    for ever. Delete the person in Customer.io too. What was told of them before leaves Kafka when its topics' retention is over.

    Example: CONCIERGE_KAFKA_BOOTSTRAP=localhost:9092 concierge erase id:u-1
    """
    import os

    from agents import erasure
    from agents.kafka_topics import Unreachable
    from agents.settings import Misconfigured, read_settings

    with refusing(erasure.NotAKey, erasure.NotAsked, Misconfigured, Unreachable):
        erasure.ask(keys, read_settings(os.environ))
    if json:
        import msgspec

        typer.echo(msgspec.json.encode({"asked": len(keys)}).decode())
    else:
        typer.echo(f"asked for {len(keys)} to be forgotten; `concierge doctor KEY` shows when Intercom is clear")
