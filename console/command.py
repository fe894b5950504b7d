"""How the command speaks when something is wrong: one sentence a problem on stderr, no traceback, exit code 2.

Exit codes: 0 fine, 1 the answer is no, 2 misuse or misconfiguration. An unexpected error is a defect and keeps its traceback.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

NO = 1
MISUSE = 2
INTERRUPTED = 130


class OneSentence(TyperGroup):
    """A group of verbs whose misuse is told in one sentence."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except typer.TyperException as error:
            message = error.format_message() if hasattr(error, "format_message") else str(error)
            if message:
                complain(f"{message.rstrip('.')}. Try `{self._told_as(error)} --help`.")
            sys.exit(getattr(error, "exit_code", MISUSE))
        except typer.Abort:
            sys.exit(INTERRUPTED)
        sys.exit(code if isinstance(code, int) else 0)

    def _told_as(self, error: Exception) -> str:
        context = getattr(error, "ctx", None)
        return str(context.command_path) if context is not None else "concierge"


def complain(sentences: str) -> None:
    for sentence in sentences.splitlines():
        typer.echo(f"concierge: {sentence}", err=True)


@contextmanager
def refusing(*refusals: type[Exception]) -> Iterator[None]:
    """Tell these errors as sentences and leave with exit code 2."""
    try:
        yield
    except refusals as refusal:
        complain(str(refusal))
        raise typer.Exit(MISUSE) from None
