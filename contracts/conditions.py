"""The vocabulary of a policy's rules: conditions, anchors and window edges, as typed values.

A condition is a mapping with one key, so that YAML reads as a sentence: `cart_value: {above: 150}`.
"""

from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from contracts.policy_values import (
    DURATION_PATTERN,
    Count,
    Lately,
    Money,
    Names,
    PageKind,
    Scalar,
    Span,
    Text,
    span_ms,
    span_schema,
)


class Rule(BaseModel):
    """Strict and frozen: an unknown key is an error, so that a misspelt rule never passes for one that holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(Rule):
    """The values within all bounds that are given; without any, all values."""

    above: Money | None = Field(default=None, description="Holds for values greater than this.")
    at_least: Money | None = Field(default=None, description="Holds for this value and greater ones.")
    below: Money | None = Field(default=None, description="Holds for values less than this.")
    at_most: Money | None = Field(default=None, description="Holds for this value and lesser ones.")

    @model_validator(mode="after")
    def _not_empty(self) -> "Range":
        least, most = self.at_least, self.at_most
        lower = max((bound for bound in (self.above, least) if bound is not None), default=None)
        upper = min((bound for bound in (self.below, most) if bound is not None), default=None)
        if lower is not None and upper is not None and not (lower < upper or (lower == upper and self.contain(lower))):
            raise ValueError("no value lies within these bounds; give a lower bound that is less than the upper one")
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


class Bounds(Range):
    """All bounds that are given must hold; at least one is given."""

    @model_validator(mode="after")
    def _at_least_one(self) -> "Bounds":
        if all(bound is None for bound in (self.above, self.at_least, self.below, self.at_most)):
            raise ValueError("give at least one of above, at_least, below, at_most")
        return self


class CartBounds(Bounds):
    """or_unknown: an unknown value (unreadable price, unlisted currency) holds too."""

    or_unknown: bool = Field(
        default=False,
        description="Holds too while the cart's value is unknown: an unreadable price, an unlisted currency.",
    )


class EmailState(Rule):
    """Of the e-mail delivery that was sent last: opened, clicked by a human. None: not asked."""

    opened: bool | None = Field(default=None, description="Whether a human has opened it.")
    clicked: bool | None = Field(default=None, description="Whether a human has clicked in it.")


class ClickedEmail(Rule):
    """A human's click in any e-mail."""

    since: Literal["anchor"] = Field(default="anchor", description="Clicks after the moment's anchor count.")


class Happened(Rule):
    """Track events: at least so many, since the anchor, within a span, the oldest of them at least so long ago.

    same_order: an event that names an order counts only for the anchor's order.
    """

    name: Names = Field(description="The track event's name, or a list of names any of which counts.")
    at_least: Count = Field(default=1, description="How many there must be.")
    since: Literal["anchor"] | None = Field(default=None, description="Only those after the moment's anchor count.")
    within: Lately | None = Field(default=None, description="Only those of the last so long count.")
    at_least_ago: Span | None = Field(default=None, description="Only those at least so long ago count.")
    same_order: bool = Field(
        default=False, description="One that names an order counts only where it is the order of the anchor."
    )

    @model_validator(mode="after")
    def _countable(self) -> "Happened":
        if self.within is not None and self.at_least_ago is not None and self.at_least_ago >= self.within:
            raise ValueError("`at_least_ago` must be shorter than `within`, or nothing is ever counted")
        return self


class Visited(Rule):
    """Pages of one kind: at least or at most so many, since the anchor, within a span."""

    kind: PageKind = Field(description="The kind of page, as `paths` tells them apart.")
    at_least: Count | None = Field(default=None, description="How many visits there must be.")
    at_most: Count | None = Field(default=None, description="How many visits there may be.")
    since: Literal["anchor"] | None = Field(default=None, description="Only visits after the moment's anchor count.")
    within: Lately | None = Field(default=None, description="Only visits of the last so long count.")

    @model_validator(mode="after")
    def _one_bound(self) -> "Visited":
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either at_least or at_most")
        return self


class CycleBounds(Rule):
    """The person's usual time between orders; unknown, it does not hold."""

    at_least: Span = Field(description="The shortest cycle for which this holds.")


class TraitTest(Range):
    """A Customer.io attribute: set at all, equal to `is`, within the bounds as a number, also one that comes as text.

    All that is given must hold.
    """

    name: Text = Field(description="The attribute's name in Customer.io.")
    equals: Scalar | None = Field(
        default=None,
        alias="is",
        description=(
            'A number equals the same number, also one that comes as text (3, 3.0 and "3"); true and false equal '
            "true, 1 and false, 0 in any casing, also as text; a text in quotes equals exactly that text, "
            "where numbers read as 3 or 2.5 and booleans as true or false."
        ),
    )


class SegmentTest(Rule):
    """A Customer.io segment, kept as a boolean attribute of that name."""

    name: Text = Field(description="The name of the boolean attribute that Customer.io keeps for the segment.")


class Condition(Rule):
    """Exactly one of the words below."""

    cart_value: CartBounds | None = Field(default=None, description="The cart's value, in the policy's currency.")
    cart: Literal["empty", "not_empty"] | None = Field(default=None, description="Whether anything is in the cart.")
    orders: Bounds | None = Field(default=None, description="How many orders count: not cancelled, not fully refunded.")
    lifetime_value: Bounds | None = Field(
        default=None, description="What those orders are worth, less partial refunds."
    )
    latest_email: EmailState | None = Field(default=None, description="What became of the e-mail that was sent last.")
    clicked_email: ClickedEmail | None = Field(default=None, description="A human has clicked in any e-mail.")
    event: Happened | None = Field(default=None, description="A track event has happened, so often and so recently.")
    pages: Visited | None = Field(default=None, description="Pages of a kind were visited, so often and so recently.")
    cycle: CycleBounds | None = Field(default=None, description="The person's usual time between orders is known.")
    trait: TraitTest | None = Field(default=None, description="A Customer.io attribute of the person.")
    segment: SegmentTest | None = Field(default=None, description="The person is in a Customer.io segment.")
    any: tuple["Condition", ...] | None = Field(
        default=None, min_length=1, description="At least one of these conditions holds."
    )
    all: tuple["Condition", ...] | None = Field(default=None, min_length=1, description="All of these conditions hold.")

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

    @cached_property
    def asked(self) -> tuple[str, Any]:
        """The word and what stands under it, looked up once."""
        return self.word() or "", self.inner()


class Together(Rule):
    """The later of two newest happenings that lie at most `within` apart."""

    pages: tuple[PageKind, ...] = Field(
        min_length=1, description="The kinds of page, the newest visit to any of which counts."
    )
    event: Names = Field(description="The track event, or a list of events, the newest of which counts.")
    within: Span = Field(description="How far the visit and the event may lie apart, whichever comes first.")


class Anchor(Rule):
    """The moment that an episode counts from; exactly one of the words below."""

    cart_touch: Literal["newest"] | None = Field(
        default=None, description="The newest time that something was put into the cart or its checkout went on."
    )
    order: Literal["newest", "first_with_guide"] | None = Field(
        default=None,
        description="The newest order, or the newest that is the person's first of a category with a guide.",
    )
    event: Names | None = Field(default=None, description="The newest of this track event, or of any in this list.")
    together: Together | None = Field(default=None, description="A page visit and an event that lie close together.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "Anchor":
        given = [word for word in (self.cart_touch, self.order, self.event, self.together) if word is not None]
        if len(given) != 1:
            raise ValueError("an anchor has exactly one key: cart_touch, order, event or together")
        return self

    @cached_property
    def asked(self) -> tuple[str, Any]:
        """The word and what stands under it, looked up once."""
        return next((word, value) for word, value in self if value is not None)


class Edge(Rule):
    """An edge of a window after the anchor: a span, or the person's reorder cycle plus or minus a span."""

    span_ms: int
    of_cycle: bool = False


def _read_edge(value: object) -> object:
    """`2h`, `0`, `cycle - 5d`, `cycle + 14d`, `cycle` -> Edge. ValueError when it is none."""
    if isinstance(value, Edge):
        return value
    text = str(value).strip()
    if not text.startswith("cycle"):
        return Edge(span_ms=span_ms(text))
    rest = text.removeprefix("cycle").replace(" ", "")
    if rest == "":
        return Edge(span_ms=0, of_cycle=True)
    if rest[0] not in "+-":
        raise ValueError("write cycle, cycle - 5d or cycle + 14d")
    length_ms = span_ms(rest[1:])
    return Edge(span_ms=length_ms if rest[0] == "+" else -length_ms, of_cycle=True)


WindowEdge = Annotated[
    Edge, BeforeValidator(_read_edge), span_schema(rf"(0|{DURATION_PATTERN}|cycle( *[+-] *(0|{DURATION_PATTERN}))?)")
]
