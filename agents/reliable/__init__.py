"""Faust, made safe to lose nothing: whole batches to plain handlers, state written behind, one commit order.

What Faust gets wrong and how this mends it: docs/decisions/0004. The public surface is what is named here.
"""

from agents.reliable.app import EXIT_FAILED, App, create_app
from agents.reliable.record import Codec, Handler, Output, Record
from agents.reliable.store import Store
from agents.reliable.watch import Health, Limits

__all__ = ["EXIT_FAILED", "App", "Codec", "Handler", "Health", "Limits", "Output", "Record", "Store", "create_app"]
