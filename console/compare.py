"""`concierge compare`: two policies over one history, before anybody is concerned; nothing is sent."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.command import complain, refusing
from console.inputs import Input, instant, opened, reader, refusals, watched
from console.policy import shipped
from console.progress import bars

if TYPE_CHECKING:
    from backtests.compare import Compared
    from backtests.traces import Traces

Base = Annotated[Path | None, typer.Option("--base", help="The policy as it is. (default: the shipped skincare.yaml)")]
Candidate = Annotated[Path | None, typer.Option("--candidate", help="The policy as it might be.")]
From = Annotated[
    str | None, typer.Option("--from", help="Moments from this instant on; what was before only makes people known.")
]
Until = Annotated[
    str | None, typer.Option("--until", help="Run time on to this instant, included. (default: the last signal)")
]
Html = Annotated[Path | None, typer.Option("--html", help="Also write one page with pictures; it needs no network.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="Folder for comparison.json and differences.jsonl, one difference a line.")
]
Person = Annotated[
    str | None, typer.Option("--person", help="Show this person's two stories side by side, such as id:u-17.")
]
Sweep = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep",
        help="Instead of a candidate: try the base with a number changed, such as cart_value=100..300:25; may be repeated.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")]


def compare(
    source: Input,
    base: Base = None,
    candidate: Candidate = None,
    from_: From = None,
    until: Until = None,
    html: Html = None,
    out: Out = None,
    person: Person = None,
    sweep: Sweep = None,
    json: AsJson = False,
) -> None:
    """Who would be in a moment under one policy and not under the other, and why. Sends nothing, ever.

    Example: concierge compare events.jsonl --base policies/skincare.yaml --candidate new.yaml --html comparison.html
    Many at once: concierge compare events.jsonl --sweep cart_value=100..300:25 --sweep high_aov_abandoner.enter_after=1h..6h:1h
    """
    import tempfile

    from backtests.compare import compare as compared
    from backtests.traces import Traces
    from contracts.policy import PolicyError, load
    from contracts.policy_changes import changes

    with refusing(PolicyError, ValueError, *refusals()):
        from_ms = instant("--from", from_) if from_ is not None else None
        until_ms = instant("--until", until) if until is not None else None
        if sweep:
            from console.sweep import run

            run(source, base or shipped(), sweep, (from_ms, until_ms), html, json)
            return
        if candidate is None:
            raise ValueError("Missing option '--candidate' (or '--sweep'). Try `concierge compare --help`.")
        files = base or shipped(), candidate
        policies = [load(file) for file in files]
        read = reader(source)
        with (
            bars("reading", "judging twice") as (reading, judging),
            opened(read, reading) as history,
            tempfile.TemporaryFile() as kept,
        ):
            traces = Traces(kept)
            signals = watched(history.signals(), len(history), judging)
            found = compared(signals, *policies, traces=traces, from_ms=from_ms, until_ms=until_ms)
            said = changes(*(file.read_text(encoding="utf-8") for file in files))
            found.told["changes"] = [change._asdict() for change in said]
            _write(found, traces, html, out, person)
            stories = traces.of(person) if person is not None else None
    if json:
        import msgspec

        if stories is not None:
            found.told["person"] = {"person": person, "base": stories[0], "candidate": stories[1]}
        typer.echo(msgspec.json.encode(found.told).decode())
    else:
        from console.compare_table import show, show_stories

        show(found.told)
        if person is not None and stories is not None:
            show_stories(person, stories)


def _write(found: "Compared", traces: "Traces", html: Path | None, out: Path | None, person: str | None) -> None:
    import msgspec

    path = html
    try:
        if html is not None:
            from console.compare_page import page

            html.write_text(page(found, traces, person=person), encoding="utf-8")
        if out is not None:
            path = out
            out.mkdir(parents=True, exist_ok=True)
            told = msgspec.json.format(msgspec.json.encode(found.told), indent=2)
            (out / "comparison.json").write_bytes(told + b"\n")
            lines = [msgspec.json.encode(one) + b"\n" for one in found.differences]
            (out / "differences.jsonl").write_bytes(b"".join(lines))
    except OSError as error:
        complain(f"{path}: cannot be written ({error.strerror or error}); choose another place")
        raise typer.Exit(2) from None
