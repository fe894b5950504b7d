"""The `concierge` command. Each verb loads what it needs when it runs, so that `--help` is quick."""

import typer

from console import policy
from console.archive import archive
from console.backtest import backtest
from console.certify import certify
from console.command import OneSentence
from console.compare import compare
from console.demo import demo
from console.doctor import doctor
from console.erase import erase
from console.explain import explain
from console.importing import import_
from console.lift import lift
from console.receive import receive
from console.rehearse import rehearse
from console.setup import setup
from console.topics import topics
from console.work import work

app = typer.Typer(
    cls=OneSentence,
    help="From a Customer.io event to an Intercom moment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _concierge() -> None:
    """From a Customer.io event to an Intercom moment."""


app.command("demo")(demo)
app.command("receive")(receive)
app.command("work")(work)
app.command("topics")(topics)
app.command("setup")(setup)
app.command("doctor")(doctor)
app.command("erase")(erase)
app.command("rehearse")(rehearse)
app.command("import")(import_)
app.command("backtest")(backtest)
app.command("archive")(archive)
app.command("compare")(compare)
app.command("certify")(certify)
app.command("explain")(explain)
app.command("lift")(lift)
app.add_typer(policy.app, name="policy")
