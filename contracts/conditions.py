"""The vocabulary of a policy's rules: conditions, anchors and window edges, as typed values.

A condition is a mapping with one key, so that YAML reads as a sentence: `cart_value: {above: 150}`.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from contracts.instant import duration_ms

REMEMBERED_MAX = (
    16  # occurrences of a page kind, an event or a send that a person's record keeps; no rule may ask for more
)


def _read_duration(value: object) -> object:
    """A duration text becomes milliseconds; YAML reads a bare 0 as a number."""
    if value == 0 and not isinstance(value, bool):
        return 0
    if isinstance(value, str):
        return duration_ms(value)
    raise ValueError("write a duration with its unit, such as 30m, 2h30m or 3d")


Span = Annotated[int, BeforeValidator(_read_duration), Field(ge=0, json_schema_extra={"type": ["string", "integer"]})]
Money = Annotated[Decimal, BeforeValidator(lambda v: str(v) if isinstance(v, float) else v)]
Count = Annotated[int, Field(ge=0, le=REMEMBERED_MAX)]
PageKind = Literal["product", "help", "returns", "shipping"]
Names = Annotated[tuple[str, ...], BeforeValidator(lambda v: [v] if isinstance(v, str) else v), Field(min_length=1)]


class Rule(BaseModel):
    """Strict and frozen: an unknown key is an error, so that a misspelt rule never passes for one that holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Bounds(Rule):
    """All bounds that are given must hold."""

    above: Money | None = None
    at_least: Money | None = None
    below: Money | None = None
    at_most: Money | None = None

    @model_validator(mode="after")
    def _at_least_one(self) -> "Bounds":
        if all(bound is None for bound in (self.above, self.at_least, self.below, self.at_most)):
            raise ValueError("give at least one of above, at_least, below, at_most")
        return self

    def contain(self, value: Decimal) -> bool:
        return (
            (self.above is None or value > self.above)
            and (self.at_least is None or value >= self.at_least)
            and (self.below is None or value < self.below)
            and (self.at_most is None or value <= self.at_most)
        )

    def text(self) -> str:
        words = ((self.above, ">"), (self.at_least, ">="), (self.below, "<"), (self.at_most, "<="))
        return " and ".join(f"{sign} {bound}" for bound, sign in words if bound is not None)


class CartBounds(Bounds):
    """or_unknown: an unknown value (unreadable price, unlisted currency) holds too."""

    or_unknown: bool = False


class EmailState(Rule):
    """Of the e-mail delivery that was sent last: opened, clicked by a human. None: not asked."""

    opened: bool | None = None
    clicked: bool | None = None


class ClickedEmail(Rule):
    since: Literal["anchor"] = "anchor"


class Happened(Rule):
    """Track events: at least so many, since the anchor, within a span, the oldest of them at least so long ago.

    same_order: an event that names an order counts only for the anchor's order.
    """

    name: Names
    at_least: Count = 1
    since: Literal["anchor"] | None = None
    within: Span | None = None
    at_least_ago: Span | None = None
    same_order: bool = False


class Visited(Rule):
    """Pages of one kind: at least or at most so many, since the anchor, within a span."""

    kind: PageKind
    at_least: Count | None = None
    at_most: Count | None = None
    since: Literal["anchor"] | None = None
    within: Span | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> "Visited":
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either at_least or at_most")
        return self


class CycleBounds(Rule):
    at_least: Span


class TraitTest(Rule):
    """A Customer.io attribute: equal to `is`, or a number within the bounds."""

    name: str
    equals: str | bool | int | float | None = Field(default=None, alias="is")
    above: Money | None = None
    at_least: Money | None = None
    below: Money | None = None
    at_most: Money | None = None


class SegmentTest(Rule):
    """A Customer.io segment, kept as a boolean attribute of that name."""

    name: str


class Condition(Rule):
    """Exactly one of the words below."""

    cart_value: CartBounds | None = None
    cart: Literal["empty", "not_empty"] | None = None
    orders: Bounds | None = None
    lifetime_value: Bounds | None = None
    latest_email: EmailState | None = None
    clicked_email: ClickedEmail | None = None
    event: Happened | None = None
    pages: Visited | None = None
    cycle: CycleBounds | None = None
    trait: TraitTest | None = None
    segment: SegmentTest | None = None
    any: tuple["Condition", ...] | None = Field(default=None, min_length=1)
    all: tuple["Condition", ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _exactly_one(self) -> "Condition":
        if len(self.model_fields_set) != 1 or self.word() is None:
            raise ValueError("a condition has exactly one key, such as cart_value, orders, pages, event, any")
        return self

    def word(self) -> str | None:
        return next((name for name in type(self).model_fields if getattr(self, name) is not None), None)

    def inner(self) -> Any:
        word = self.word()
        return getattr(self, word) if word is not None else None


class Together(Rule):
    """The later of two newest happenings that lie at most `within` apart."""

    pages: tuple[PageKind, ...] = Field(min_length=1)
    event: Names
    within: Span


class Anchor(Rule):
    """The moment that an episode counts from; exactly one of the words below."""

    cart_touch: Literal["newest"] | None = None
    order: Literal["newest", "first_with_guide"] | None = None
    event: Names | None = None
    together: Together | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "Anchor":
        if len(self.model_fields_set) != 1:
            raise ValueError("an anchor has exactly one key: cart_touch, order, event or together")
        return self


class Edge(Rule):
    """An edge of a window after the anchor: a span, or the person's reorder cycle plus or minus a span."""

    span_ms: int
    of_cycle: bool = False


def read_edge(value: object) -> object:
    """`2h`, `0`, `cycle - 5d`, `cycle + 14d`, `cycle` -> Edge. ValueError when it is none."""
    if isinstance(value, Edge | dict):
        return value
    text = str(value).strip()
    if not text.startswith("cycle"):
        return Edge(span_ms=duration_ms(text))
    rest = text.removeprefix("cycle").replace(" ", "")
    if rest == "":
        return Edge(span_ms=0, of_cycle=True)
    if rest[0] not in "+-":
        raise ValueError("write cycle, cycle - 5d or cycle + 14d")
    span_ms = duration_ms(rest[1:])
    return Edge(span_ms=span_ms if rest[0] == "+" else -span_ms, of_cycle=True)
