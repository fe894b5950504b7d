"""`concierge receive`: the receiver as a process."""

import typer

from console.command import refusing


def receive() -> None:
    """Take webhooks of Customer.io and Intercom; answer only when Kafka has them.

    Settings come from the environment: CONCIERGE_KAFKA_BOOTSTRAP, CONCIERGE_LISTEN_PORT and so on, or the same name with
    _FILE for the content of a file.

    Example: CONCIERGE_KAFKA_BOOTSTRAP=localhost:9092 concierge receive
    """
    import asyncio
    import os

    from agents import logs
    from agents.receive import receive as serve
    from agents.settings import Misconfigured, read_settings

    logs.configure()
    with refusing(Misconfigured):
        code = asyncio.run(serve(read_settings(os.environ)))
    raise typer.Exit(code)
