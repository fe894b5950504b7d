"""Signals: all that the thinking may be told, one closed vocabulary, keyed by person.

The `signals` topic is the log. A record is one JSON object `{"t": <kind>, "v": 1, ...}`; fields at their default are left
out. Readers ignore fields that they do not know; a field is never renamed or given another meaning, a new one has a default.
Money is an exact decimal written as a string. Times are milliseconds since 1970 UTC. A signal holds no cycle of references,
so the garbage collector need not look at it (`gc=False`).
"""

from decimal import Decimal

import msgspec

from contracts import versions

VERSION = 1

Scalar = str | int | float | bool | None


class Item(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename={"product": "p"}):
    """One product line: `product` is product_id, else sku, else name ("" where none); price is None when unreadable."""

    product: str
    variant: str = ""
    name: str | None = None
    category: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    quantity: Decimal | None = None


class Stamp(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """What every signal of a person carries.

    id: the sender's message id or event id, unique per message; the person's ring of ids counts it once.
    via: keys of forwards that passed this signal on, oldest first.
    """

    person: str
    id: str
    occurred_ms: int
    accepted_ms: int
    via: tuple[str, ...] = ()
    v: int = VERSION


class Tracked(Stamp, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="t", tag="tracked"):
    """A Customer.io `track` call.

    items: the `products` (list, object or one in a string), None where the call has none, () where it is an empty list.
    item: the product fields that stand flat in the properties, where any does.
    amount: the first readable of total, revenue, value. path: as AUDIENCES defines it, without the name fallback.
    discount: what was taken off, so that amount and discount are the price before it; cost: of what was sold. As amount, in
    `currency`; None where the call tells none.
    """

    event: str
    items: tuple[Item, ...] | None = None
    item: Item | None = None
    amount: Decimal | None = None
    currency: str | None = None
    order_id: str | None = None
    path: str | None = None
    discount: Decimal | None = None
    cost: Decimal | None = None


class Paged(Stamp, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="t", tag="paged"):
    """A Customer.io `page` (or `screen`) call; path falls back to the page's name."""

    path: str


class Identified(Stamp, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="t", tag="identified"):
    """Traits told by `identify`; scalars only. email is lower-cased."""

    traits: dict[str, Scalar]
    email: str | None = None


class Claimed(Stamp, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="t", tag="claimed"):
    """Says to the weaker key `person`: you belong to the person `owner`."""

    owner: str


class Moved(Stamp, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="t", tag="moved"):
    """Hands the whole state of the key `source` over to `person`: msgpack of the state, base64 in JSON."""

    source: str
    state: bytes


class Messaged(Stamp, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="t", tag="messaged"):
    """A metric of one message: channel (`email`, `sms`, ...), metric (`sent`, `opened`, `clicked`, ...).

    human: False for an `opened` with `prefetched` and a `clicked` with `machine`.
    """

    channel: str
    metric: str
    delivery: str = ""
    human: bool = True


class Consented(Stamp, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="t", tag="consented"):
    """Subscribed or unsubscribed; tool is `customerio` or `intercom`."""

    tool: str
    subscribed: bool


class Conversed(Stamp, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="t", tag="conversed"):
    """An Intercom conversation of the person opened (or went on) or was closed (or deleted)."""

    conversation: str
    open: bool
    topic: str


class Erased(Stamp, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="t", tag="erased"):
    """The person is to be forgotten: `User Deleted`, `User Suppressed`, `concierge erase`."""


class Delivered(Stamp, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="t", tag="delivered"):
    """Outcome of a command: `shown` (Intercom has it), `refused` (never will), with the reason of a refusal."""

    revision: int
    outcome: str
    reason: str | None = None
    episode: str | None = None


class Marked(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="t", tag="marked"):
    """Proof of reading: every message of `source` accepted at or before `at_ms` stands earlier in this partition.

    source: `topic/partition`. of: how many source partitions there are; log time begins when all of them have spoken.
    outcomes: this log carries Delivered signals, so an activation counts as delivered when one says so.
    """

    source: str
    at_ms: int
    of: int
    outcomes: bool = True
    v: int = VERSION


class Ruled(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="t", tag="ruled"):
    """From `at_ms` on, this partition is judged by the policy in `text`, a whole policy file, so that a replay needs no other.

    policy: its hash as the command that deployed it knew it. It stands once in every partition, with the same instant.
    """

    policy: str
    text: str
    at_ms: int
    v: int = VERSION


PersonSignal = Tracked | Paged | Identified | Claimed | Moved | Messaged | Consented | Conversed | Erased | Delivered
Signal = PersonSignal | Marked | Ruled

_encoder = msgspec.json.Encoder()
_decoder: "msgspec.json.Decoder[Signal]" = msgspec.json.Decoder(Signal)


def encode(signal: Signal) -> bytes:
    """One record of the `signals` topic."""
    return _encoder.encode(signal)


def decode(record: bytes) -> Signal:
    """The signal of one record. msgspec.DecodeError (ValidationError) when it is none of this vocabulary; NewerRecord."""
    return versions.read(record, _decoder, known=VERSION, word="signal")


def addressed(person: str) -> bool:
    """Whether the key is that of somebody who said who they are: only they can be in a moment."""
    return person.partition(":")[0] in _ADDRESSED


def anonymous(person: str) -> bool:
    """Whether the key names nobody that could be addressed."""
    return person.startswith("anon:")


_ADDRESSED = frozenset({"id", "cio", "email"})
_STRENGTH = {"id": 3, "cio": 2, "email": 1, "anon": 0}


def strength(person: str) -> int:
    """How strong a key names its person: id 3, cio 2, email 1, anon 0; -1 for what is no person's key."""
    return _STRENGTH.get(person.partition(":")[0], -1)
