"""The sections of a policy beside its audiences: names, stops, caps, tiers, pressure, as typed values."""

from functools import cached_property
from typing import Annotated

from pydantic import Field, model_validator

from contracts.conditions import Rule
from contracts.policy_errors import misplaced
from contracts.policy_values import REMEMBERED_MAX, Lately, Money, Names, Span, Text

Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Whole = Annotated[int, Field(ge=0, strict=True)]


class Limit(Rule):
    """Reached when `count` or more happened within the rolling span `(t - within, t]`."""

    count: Annotated[int, Field(ge=1, le=REMEMBERED_MAX, strict=True)] = Field(description="So many are enough.")
    within: Lately = Field(description="The last so long is looked at.")


class Holdout(Rule):
    """Who is left alone. A person's arm follows from the salt and the person, and stays."""

    share: Share = Field(description="The share of people who are left alone, from 0 to 1.")
    salt: str = Field(description="Any text; another one deals people anew.")


class EventNames(Rule):
    """The names of the track events that mean something to every audience."""

    orders: Names = Field(description="Events that are an order; several of one order_id are one.")
    refunds: Names = Field(description="Events that are a refund, full where they name no amount.")
    partial_refunds: Names = Field(description="Events that are a refund of a part.")
    cancels: Names = Field(description="Events that cancel an order.")

    @cached_property
    def meanings(self) -> dict[str, str]:
        """The word under which a name stands here; of several the order goes first, then the part of a refund."""
        words = ("cancels", "refunds", "partial_refunds", "orders")
        return {name: word for word in words for name in getattr(self, word)}


class Exclusion(Rule):
    """Whom nothing is ever shown of."""

    traits: tuple[Text, ...] = Field(default=(), description="Customer.io attributes that exclude where they are true.")
    domains: tuple[Text, ...] = Field(default=(), description="E-mail domains that exclude, such as example.com.")


class StopSpans(Rule):
    """How long a stop lasts from what began it."""

    purchased: Span = Field(description="After an order, no rescue for so long.")
    refunded: Span = Field(description="After a full refund, nothing for so long.")
    partially_refunded: Span = Field(description="After a partial refund, no rescue for so long.")
    cancelled: Span = Field(description="After a cancelled order, nothing for so long.")
    in_conversation: Span = Field(description="After a conversation has closed, nothing for so long.")


class Tiers(Rule):
    """cio_tier in Intercom: vip, high or standard."""

    vip_orders: Whole = Field(description="With so many orders a customer is vip.")
    vip_lifetime_value: Money = Field(description="With orders worth so much a customer is vip.")
    high_cart_value: Money = Field(description="With a cart worth so much a customer who is not vip is high.")


class LtvTiers(Rule):
    """predicted_ltv_tier in Intercom: low, mid or high."""

    mid: Money = Field(description="From this lifetime value on it is mid.")
    high: Money = Field(description="From this lifetime value on it is high.")

    @model_validator(mode="after")
    def _ordered(self) -> "LtvTiers":
        if self.mid > self.high:
            raise misplaced(("high",), "`mid` must be at most `high`, or nobody is mid")
        return self


class Pressure(Rule):
    """Messages of Customer.io's own that hold a moment back."""

    channels: tuple[Text, ...] = Field(description="The channels that count, such as email, sms, whatsapp.")
    limits: tuple[Limit, ...] = Field(description="How many messages are enough; each limit holds.")


MissingShare = Annotated[float, Field(gt=0, le=1, strict=True)]


class MissingShares(Rule):
    """The share of the newest occurrences that may lack a field; 1 never minds.

    A currency, order_id or category is missed only where events of that name once carried it.
    """

    price: MissingShare = Field(default=0.2, description="Lines of a cart without a readable price.")
    currency: MissingShare = Field(default=0.2, description="Amounts without a currency that `rates` lists.")
    order_value: MissingShare = Field(default=0.2, description="Orders without a readable value.")
    order_id: MissingShare = Field(default=0.2, description="Orders without an order_id.")
    order_person: MissingShare = Field(
        default=0.6,
        description="Orders that name nobody; one counts half where it became known later whose it was.",
    )
    category: MissingShare = Field(default=0.5, description="Lines of an order without a category.")
    path: MissingShare = Field(default=0.5, description="Visits of a page without a path.")


class Drift(Rule):
    """When what an audience stands on is not to be trusted any more, so that it begins nothing (`stale_data`)."""

    newest: Annotated[int, Field(ge=20, strict=True)] = Field(
        default=200, description="The share that lacks a field is taken of so many newest occurrences."
    )
    at_least: Annotated[int, Field(ge=10, strict=True)] = Field(
        default=50, description="Fewer occurrences say nothing."
    )
    missing_above: MissingShares = Field(
        default=MissingShares(), description="The share that may lack a field; above it the data is in trouble."
    )
    silent_after: Annotated[int, Field(ge=2, strict=True)] = Field(
        default=10,
        description="A silence of so many times the usual gap between two events of a kind, counted in signals, is trouble.",
    )

    @model_validator(mode="after")
    def _says_something(self) -> "Drift":
        if self.at_least > self.newest // 2:
            raise misplaced(("at_least",), "`at_least` must be at most half of `newest`, or it would often say nothing")
        return self
