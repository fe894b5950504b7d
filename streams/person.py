"""What is known of one person: the state that the fold changes and the judgement reads, bounded in every part.

State is msgpack of these structs as arrays; a new field goes to the end of its struct and has a default.
The structs hold no cycle of references, so the garbage collector need not look at them (`gc=False`).
A Moment is `(occurred_ms, seq)`: "after" and "newest" go by occurrence, ties by the order of the log.
"""

from collections.abc import Mapping
from decimal import Decimal
from hashlib import blake2b
from operator import attrgetter

import msgspec

from contracts.decisions import Arm
from contracts.instant import INSTANT_MS_MAX
from contracts.policy_values import REMEMBERED_MAX
from contracts.signals import Erased, Moved, PersonSignal, Scalar, Tracked

Moment = tuple[int, int]

LINES_MAX = 100  # a cart with more lines is a bot's; the line touched longest ago goes first
ORDERS_MAX = 64  # orders kept one by one; older ones live on as a count and a sum
DELIVERIES_MAX = 8  # e-mails of which opens and clicks are kept
CONVERSATIONS_MAX = 32
TRAITS_MAX = 32
TRAIT_CHARS_MAX = 200
ACTIVATIONS_MAX = 16  # more than any cap may count
SPENT_MAX = 8  # spans of anchors that can start no episode any more, per audience
SAID_MAX = 4  # episodes per audience of which the last word is remembered
IDS_MAX = 64  # reach of the ring of message ids: a repeat within that many messages of the person counts once
ID_BYTES = 8
RING_BYTES = IDS_MAX * ID_BYTES
PENDING_MAX = 256  # signals held until the marks reach them; beyond, the oldest are settled early
PENDING_BYTES_MAX = 128 * 1024  # likewise; looked at once in so many signals, and whenever one names several products
PENDING_LOOK_EVERY = 16
RECORD_BYTES_MAX = 1_000_000  # of one encoded record, whatever was told; Kafka's default for one message is 1,048,588
PASSES_MAX = 16  # how often a signal may be passed on before it is set aside: docs/decisions/0007
NOT_SEEN = INSTANT_MS_MAX  # later than anything that can be seen


class Line(msgspec.Struct, array_like=True, gc=False):
    product: str
    variant: str
    name: str | None
    category: str | None
    quantity: Decimal
    price: Decimal | None
    currency: str | None
    priced: Moment | None
    touched: Moment
    categorized: Moment | None = None  # when the category was told


class Cart(msgspec.Struct, array_like=True, gc=False):
    """stated: a value that an event without products told; it stands until lines change. reset: newest order or
    replacement, before which changes are ignored. touched: newest cart touch, the anchor of cart audiences."""

    lines: dict[str, Line] = {}
    stated: Decimal | None = None
    stated_currency: str | None = None
    stated_at: Moment | None = None
    touched: Moment | None = None
    reset: Moment | None = None
    changed: Moment | None = None


class Order(msgspec.Struct, array_like=True, gc=False):
    """at is None while only refunds or a cancel were seen. value is in the policy's currency, None unknown."""

    id: str | None
    at: Moment | None = None
    value: Decimal | None = None
    category: str | None = None
    categories: tuple[str, ...] = ()
    lined: bool = False
    refunded: Decimal = Decimal(0)
    refund_ms: int | None = None
    refund_named: bool = False  # an `Order Refunded` came, with an amount
    whole_ms: int | None = None  # newest `Order Refunded` without an amount
    cancel_ms: int | None = None
    emptied: str | None = None  # category of the cart that it emptied; category is that of its largest line

    def full_refund(self) -> bool:
        if self.whole_ms is not None:
            return True
        if self.at is None:
            return False
        value = self.value or Decimal(0)
        return self.refund_named if value <= 0 else self.refunded >= value

    def counts(self) -> bool:
        """Seen, not cancelled, not fully refunded."""
        return self.at is not None and self.cancel_ms is None and not self.full_refund()


class Tally(msgspec.Struct, array_like=True, gc=False):
    """What is asked at every judgement, counted when an order changes: orders that count, their worth, the newest, and
    the gap between buying occasions as measured (None below three occasions; cycle_half: it lies half a millisecond below)."""

    count: int = 0
    value: Decimal = Decimal(0)
    newest: Order | None = None
    cycle_ms: int | None = None
    cycle_half: bool = False


class Orders(msgspec.Struct, array_like=True, gc=False):
    """recent: oldest first. tally: see orders.counted, which keeps it true."""

    recent: list[Order] = []
    older_count: int = 0
    older_value: Decimal = Decimal(0)
    older_categories: tuple[str, ...] = ()
    tally: Tally = msgspec.field(default_factory=Tally)


class Delivery(msgspec.Struct, array_like=True, gc=False):
    sent: Moment | None = None
    opened: bool = False
    clicked: bool = False


class Happening(msgspec.Struct, array_like=True, gc=False):
    at: Moment
    order: str | None = None


class Episode(msgspec.Struct, array_like=True, gc=False):
    """An active episode; virtual where arm is holdout."""

    anchor: Moment
    arm: Arm
    since_ms: int


class Standing(msgspec.Struct, array_like=True, gc=False):
    """Where a person stands with one audience.

    spent: spans of anchors that start no episode any more. said: anchor_ms -> the last word on that episode.
    """

    active: Episode | None = None
    spent: list[tuple[Moment, Moment]] = []
    said: dict[int, tuple[str, str]] = {}
    ended_ms: int | None = None


class Activation(msgspec.Struct, array_like=True, gc=False):
    at_ms: int
    kind: str
    episode: str
    delivered: bool = False
    void: bool = False  # withdrawn before it was delivered, so it does not count


class State(msgspec.Struct, array_like=True, gc=False):
    """arm: that of the key under which the person was seen first, first_ms: when, by occurrence; NOT_SEEN: nobody was.
    own: the record's own key was seen. in_lift: all keys that were seen have one arm. judged_ms: last judgement."""

    first_ms: int
    arm: Arm
    seq: int = 0
    judged_ms: int = 0
    due_ms: int | None = None
    erased: bool = False
    in_lift: bool = True
    assisted: bool = False
    cart: Cart = msgspec.field(default_factory=Cart)
    orders: Orders = msgspec.field(default_factory=Orders)
    pages: dict[str, list[Moment]] = {}
    events: dict[str, list[Happening]] = {}
    deliveries: dict[str, Delivery] = {}
    clicked: Moment | None = None
    sends: list[tuple[int, str]] = []
    conversations: dict[str, tuple[Moment, bool]] = {}
    consents: dict[str, tuple[Moment, bool]] = {}
    traits: dict[str, tuple[Moment, Scalar]] = {}
    email: tuple[Moment, str] | None = None
    viewed: tuple[Moment, str] | None = None
    standings: dict[str, Standing] = {}
    activations: list[Activation] = []
    ids: bytes = b""  # the ring of message ids, filled only while the state is handed over
    own: bool = False


class Announced(msgspec.Struct, array_like=True, gc=False):
    """An end that was written at once, before the exact judgement reached its instant."""

    anchor_ms: int
    at_ms: int


class Person(msgspec.Struct, array_like=True, gc=False):
    """The record of one key: a forward to a stronger key, or a state and the signals that the marks have not reached.

    position: last log position applied. ids: ring of hashed message ids. told: hash of what Intercom was last told.
    claimed_ms: when the claim occurred that the forward follows.
    policy: unused, it holds its place. ruled_ms: since when the policy rules that last judged the person (see Rulings).
    """

    position: int = -1
    forward: str | None = None
    ids: bytes = b""
    state: State | None = None
    pending: list[PersonSignal] = []
    announced: dict[str, Announced] = {}
    revision: int = 0
    told: bytes = b""
    policy: str = ""
    claimed_ms: int = 0
    ruled_ms: int = 0


_accepted_ms = attrgetter("accepted_ms")
_encoder = msgspec.msgpack.Encoder()
_people = msgspec.msgpack.Decoder(Person)
_states = msgspec.msgpack.Decoder(State)


def encode(person: Person) -> bytes:
    return _encoder.encode(person)


def decode(record: bytes) -> Person:
    return _people.decode(record)


def heavy(pending: list[PersonSignal]) -> bool:
    """Whether more waits than a record shall carry. Most people have a handful of signals waiting, and are not measured."""
    count = len(pending)
    if count > PENDING_MAX:
        return True
    if count % PENDING_LOOK_EVERY:
        last = pending[-1]
        several = len(last.items or ()) > 1 if isinstance(last, Tracked) else isinstance(last, Moved)
        if not several:
            return False
    return sum(len(_encoder.encode(signal)) for signal in pending) > PENDING_BYTES_MAX


def encode_state(state: State) -> bytes:
    return _encoder.encode(state)


def decode_state(data: bytes) -> State:
    """msgspec.DecodeError when the bytes are no state."""
    return _states.decode(data)


def copy_state(state: State) -> State:
    return _states.decode(_encoder.encode(state))


def counted(person: Person, message_id: str) -> bool:
    """Whether the ring knows the message; else it does from now on."""
    digest = blake2b(message_id.encode(), digest_size=ID_BYTES).digest()
    ids = person.ids
    found = ids.find(digest)
    while found >= 0 and found % ID_BYTES:
        found = ids.find(digest, found + 1)
    if found >= 0:
        return True
    person.ids = (ids + digest)[-RING_BYTES:]
    return False


def waiting_ms(person: Person) -> int | None:
    """When the first of the signals that wait was accepted."""
    pending = person.pending
    if len(pending) > 1:
        return min([signal.accepted_ms for signal in pending])
    return pending[0].accepted_ms if pending else None


def in_order(signals: list[PersonSignal]) -> list[PersonSignal]:
    """By acceptance."""
    return sorted(signals, key=_accepted_ms) if len(signals) > 1 else signals


def behind(people: Mapping[str, Person], key: str) -> tuple[str, Person] | None:
    """Who a key is now, and the record: forwards are followed. None where they lead to nobody who is among these."""
    for _ in range(PASSES_MAX):
        person = people.get(key)
        if person is None or person.forward is None:
            return None if person is None else (key, person)
        key = person.forward
    return None


def is_erased(person: Person) -> bool:
    """Also before log time has come so far."""
    settled = person.state is not None and person.state.erased
    return settled or any(isinstance(signal, Erased) for signal in person.pending)


def newest(moments: list[Moment], moment: Moment) -> None:
    """Keep `moment` among the REMEMBERED_MAX newest, oldest first."""
    if len(moments) == REMEMBERED_MAX and moment <= moments[0]:
        return
    moments.append(moment)
    moments.sort()
    del moments[:-REMEMBERED_MAX]
