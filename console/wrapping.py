"""Text for people in the terminal: as wide as it is up to a readable width, with no name broken in two."""

import shutil
import textwrap

import typer

WIDTH_MAX = 100  # longer lines are hard to read


def wrapped(text: str, first: str = "", further: str = "") -> None:
    """Print it. first, further: what the first line and the others begin with."""
    typer.echo(filled(text, min(shutil.get_terminal_size().columns, WIDTH_MAX), first, further))


def filled(text: str, columns: int, first: str = "", further: str = "") -> str:
    return textwrap.fill(
        text, columns, initial_indent=first, subsequent_indent=further, break_long_words=False, break_on_hyphens=False
    )
