"""`concierge work`: one worker as a process."""

import typer

from console.command import refusing


def work() -> None:
    """Read the sources, judge, and keep Intercom in agreement, until told to stop.

    Settings come from the environment: CONCIERGE_KAFKA_BOOTSTRAP, CONCIERGE_POLICY_FILE, CONCIERGE_INTERCOM_TOKEN and so
    on, or the same name with _FILE for the content of a file. Without a token nothing is sent to Intercom. Start more of
    them to share the work.

    Example: CONCIERGE_KAFKA_BOOTSTRAP=localhost:9092 concierge work
    """
    import os

    from agents import logs
    from agents.settings import Misconfigured, read_settings
    from contracts.policy import PolicyError

    logs.configure()
    with refusing(Misconfigured, PolicyError):
        settings = read_settings(os.environ)
        from agents.worker import run  # after the settings, so that a misconfiguration is told at once

        code = run(settings)
    raise typer.Exit(code)
