"""The policy: which audiences exist, and every name and number that the thinking uses. A brand changes rules here alone.

`load(path)` gives a Policy or raises PolicyError, which names file, line and remedy of everything that makes no sense.
"""

import hashlib
import json
import re
from decimal import Decimal
from difflib import get_close_matches
from fnmatch import translate
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, field_validator, model_validator

from contracts.conditions import Anchor, Condition, Rule, WindowEdge
from contracts.fields import PLACE, SENTENCE_FACTS, STRING_CHARS_MAX, places, unfilled
from contracts.policy_errors import misplaced, refusal
from contracts.policy_sections import (
    Drift,
    EventNames,
    Exclusion,
    Holdout,
    Limit,
    LtvTiers,
    Pressure,
    StopSpans,
    Tiers,
)
from contracts.policy_text import CHARS_MAX, PolicyError, read, shown
from contracts.policy_values import CURRENCY_PATTERN, NAME_PATTERN, SPAN_DAYS_MAX, Money, Names, PageKind, Span, Text
from contracts.staffed_hours import DAYS, Hours

RATE_MAX = 10**9  # the dearest currency in the cheapest is some millions; keeps every sum inside the decimal context

AUDIENCES_MAX = 200  # each is an attribute of every contact, of which Intercom gives 250 to a workspace


def _read_version(value: object) -> object:
    if type(value) is not int:  # a bool is none
        raise ValueError("write 1, without quotes")
    return value


Currency = Annotated[str, Field(pattern=CURRENCY_PATTERN)]
Rate = Annotated[Money, Field(gt=0, le=RATE_MAX), WithJsonSchema({"type": ["number", "string"], "exclusiveMinimum": 0})]
MarginRate = Annotated[float, Field(gt=0, le=1, strict=True)]
Days = Annotated[int, Field(ge=1, le=SPAN_DAYS_MAX, strict=True)]


class Audience(Rule):
    """One rule set: who is in this moment, from when until when, and what an agent reads of it."""

    kind: Literal["rescue", "care"] = Field(
        description="A rescue is ended by a purchase; care goes on after one, since it is about it."
    )
    priority: int = Field(
        strict=True, description="One person is in one moment; the higher number goes first, and no two are the same."
    )
    anchor: Anchor = Field(description="The moment that an episode counts from.")
    enter_after: WindowEdge = Field(description="So long after the anchor it may begin: 2h, 0, or `cycle - 5d`.")
    leave_after: WindowEdge = Field(description="So long after the anchor it is over by itself: 12h, or `cycle + 14d`.")
    when: tuple[Condition, ...] = Field(
        default=(),
        description="All of these conditions must hold for it to begin; `any` joins those of which one is enough.",
    )
    exit: tuple[Condition, ...] = Field(
        default=(),
        description=(
            "It ends once all of these conditions hold, and does not begin while they do; write several under one `any` "
            "where each of them alone is to end it; without an exit it ends once `when` no longer holds."
        ),
    )
    event: Text = Field(description="The name of the event that Intercom gets when it begins.")
    because: Text = Field(
        description=f"The sentence that an agent reads; {{fact}} is filled in, with one of {', '.join(SENTENCE_FACTS)}."
    )
    hours: Hours = Field(
        default="always", description="When somebody is there for it, or always; outside it is withheld."
    )
    cool_down: Span = Field(default=0, description="For so long after it has ended, it does not begin anew.")
    through_cap: bool = Field(
        default=False, description="It begins although the cap is reached; it counts for the cap."
    )
    through_pressure: bool = Field(default=False, description="It begins although Customer.io has just written.")
    not_stopped_by: tuple[Literal["purchased", "refunded", "in_conversation"], ...] = Field(
        default=(), description="The stops that do not hold for it."
    )

    @field_validator("because")
    @classmethod
    def _readable(cls, sentence: str) -> str:
        for fact in places(sentence):
            if fact not in SENTENCE_FACTS:
                near = get_close_matches(fact, SENTENCE_FACTS, n=1)
                remedy = f"did you mean {{{near[0]}}}?" if near else f"write one of {', '.join(SENTENCE_FACTS)}"
                raise ValueError(f"there is no fact {{{shown(fact)}}}; {remedy}")
        if len(PLACE.sub("-", sentence)) > STRING_CHARS_MAX:
            raise ValueError(f"write at most {STRING_CHARS_MAX} characters; Intercom takes no more")
        if unfilled(sentence):
            raise ValueError("a brace stands alone; write {fact} for a fact, and no other braces")
        return sentence

    @cached_property
    def spans_ms(self) -> tuple[int, int] | None:
        """From the anchor until the window opens and closes; None where an edge goes by the person's cycle."""
        enter, leave = self.enter_after, self.leave_after
        return None if enter.of_cycle or leave.of_cycle else (enter.span_ms, leave.span_ms)

    @cached_property
    def staffing_edges(self) -> tuple[int, ...]:
        """Minutes of the week, from Monday 00:00 on the wall clock, at which a span of `hours` begins or ends."""
        spans = () if self.hours == "always" else self.hours
        days = [(span, DAYS.index(day) * 24 * 60) for span in spans for day in span.days]
        return tuple(sorted({begin + edge for span, begin in days for edge in (span.opens, span.closes)}))

    @model_validator(mode="after")
    def _window(self) -> "Audience":
        same = self.enter_after.of_cycle == self.leave_after.of_cycle
        if same and self.enter_after.span_ms >= self.leave_after.span_ms:
            raise misplaced(("leave_after",), "the window is empty: enter_after must be shorter than leave_after")
        return self


class Policy(Rule):
    version: Annotated[Literal[1], BeforeValidator(_read_version)] = Field(
        description="The version of this file's language."
    )
    currency: Currency = Field(
        description="The currency of every amount here and in Intercom, in three capital letters."
    )
    rates: dict[Currency, Rate] = Field(
        default_factory=dict, description="What one unit of another currency is worth; amounts in others stay unknown."
    )
    holdout: Holdout = Field(description="Who is left alone, so that the effect can be measured.")
    time_zone: str = Field(description="Where the staffed hours are, such as Europe/Berlin.")
    cart_forgotten_after: Span = Field(description="A cart that was not touched for so long counts as empty.")
    settle: Span = Field(description="A beginning waits so long, so that a purchase on its way can overtake it.")
    names: EventNames = Field(description="Which track events mean what.")
    paths: dict[PageKind, Names] = Field(
        description="Patterns of paths per kind of page, * standing for anything; the first kind that matches counts."
    )
    exclude: Exclusion = Field(description="Whom nothing is shown of.")
    stops: StopSpans = Field(description="How long each stop lasts from what began it.")
    tiers: Tiers = Field(description="What makes a customer vip or high in Intercom.")
    ltv_tiers: LtvTiers = Field(description="What makes the predicted lifetime value mid or high.")
    caps: tuple[Limit, ...] = Field(description="How many moments one person may have, per kind; all limits hold.")
    pressure: Pressure = Field(description="How many messages of Customer.io are enough for now.")
    drift: Drift = Field(
        default=Drift(),
        description="When the data that an audience stands on is not to be trusted, so that it begins nothing.",
    )
    reorder_days: dict[Text, Days] = Field(
        default_factory=dict,
        description="Days that a product of a category lasts, while the person's own cycle is unknown.",
    )
    guides: tuple[Text, ...] = Field(default=(), description="The categories for which there is a guide.")
    margin_rate: MarginRate | None = Field(
        default=None,
        description="What of an order's worth is margin, from 0 to 1, where orders tell no cost; for lift alone.",
    )
    on_change: Literal["go_on", "end"] = Field(
        default="go_on",
        description="When this policy takes over from another, moments that run go on by its rules, or all of them end.",
    )
    mend: bool = Field(
        default=False,
        strict=True,
        description="What somebody edits by hand of our attributes in Intercom is written right again, not only counted.",
    )
    audiences: dict[Annotated[str, Field(pattern=NAME_PATTERN)], Audience] = Field(
        min_length=1,
        max_length=AUDIENCES_MAX,
        description="The audiences by name; each name becomes the Intercom attribute cio_segment_<name>.",
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {shown(name)}; write one such as Europe/Berlin or UTC") from error
        return name

    @model_validator(mode="after")
    def _own_currency_has_no_rate(self) -> "Policy":
        if self.currency in self.rates:
            raise misplaced(("rates", self.currency), "amounts in the policy's own currency need no rate; remove it")
        return self

    @model_validator(mode="after")
    def _one_moment_at_a_time(self) -> "Policy":
        holders: dict[int, str] = {}
        for name, audience in self.audiences.items():
            holder = holders.setdefault(audience.priority, name)
            if holder != name:
                raise misplaced(
                    ("audiences", name, "priority"),
                    f"{holder} has the same priority; one person is in one moment, so give each its own",
                )
        return self

    @cached_property
    def hash(self) -> str:
        """12 hex digits of the policy's content; comments, order of keys and what is left at its default do not matter.

        So a later release, which knows more keys, gives an old policy the same hash.
        """
        text = json.dumps(self.model_dump(mode="json", by_alias=True, exclude_defaults=True), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @cached_property
    def by_priority(self) -> tuple[tuple[str, Audience], ...]:
        return tuple(sorted(self.audiences.items(), key=lambda item: -item[1].priority))

    @cached_property
    def by_anchor(self) -> dict[tuple[bool, bool, bool], tuple[tuple[str, Audience], ...]]:
        """by_priority, for people who have (a touch of a cart, an order that counts, an event that is remembered) or not."""

        def has(anchor: Anchor, touched: bool, ordered: bool, happened: bool) -> bool:
            return touched if anchor.cart_touch is not None else ordered if anchor.order is not None else happened

        return {
            facts: tuple((name, audience) for name, audience in self.by_priority if has(audience.anchor, *facts))
            for facts in product((False, True), (False, True), (False, True))
        }

    @cached_property
    def path_patterns(self) -> tuple[tuple[PageKind, re.Pattern[str]], ...]:
        """Kinds in the order in which the policy names them; the first that matches is a page's kind."""
        return tuple(
            (kind, re.compile("|".join(translate(pattern) for pattern in patterns), re.IGNORECASE))
            for kind, patterns in self.paths.items()
        )

    @cached_property
    def remembered_events(self) -> frozenset[str]:
        """Track events that some audience asks for; a record keeps no others."""
        names: set[str] = set()
        for audience in self.audiences.values():
            names.update(audience.anchor.event or ())
            if audience.anchor.together is not None:
                names.update(audience.anchor.together.event)
            for condition in audience.when + audience.exit:
                names.update(_events_of(condition))
        return frozenset(names)

    def converted(self, amount: Decimal | None, currency: str | None) -> Decimal | None:
        """The amount in the policy's currency; None when it is None or its currency is not listed."""
        if amount is None or currency is None or currency == self.currency:
            return amount
        rate = self.rates.get(currency)
        return None if rate is None else amount * rate


def _events_of(condition: Condition) -> set[str]:
    names = set(condition.event.name) if condition.event is not None else set()
    for inner in (condition.any or ()) + (condition.all or ()):
        names |= _events_of(inner)
    return names


def load(path: Path) -> Policy:
    """The policy in a YAML file. PolicyError when it cannot be read or makes no sense."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(CHARS_MAX + 1)
    except (OSError, ValueError) as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "cannot be read"
        raise PolicyError(f"{path}: {reason}; name an existing policy file such as policies/skincare.yaml") from None
    return parse(text, name=str(path))


def parse(text: str, *, name: str) -> Policy:
    """The policy in a YAML text; `name` is what errors call it. PolicyError, and nothing else, when it is none."""
    document = read(text, name=name)
    try:
        return Policy.model_validate(document.value)
    except ValidationError as error:
        raise refusal(error, document=document, name=name, model=Policy) from None


def schema() -> dict[str, Any]:
    """JSON Schema of a policy file, for editors."""
    return Policy.model_json_schema(by_alias=True)


__all__ = ["Audience", "Policy", "PolicyError", "load", "parse", "schema"]
