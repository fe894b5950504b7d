"""The policy: which audiences exist, and every name and number that the thinking uses. A brand changes rules here alone.

`load(path)` gives a Policy or raises PolicyError, which names file, line and remedy of everything that makes no sense.
"""

import hashlib
import json
import re
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from fnmatch import translate
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from contracts.conditions import Anchor, Condition, Count, Edge, Money, Names, PageKind, Rule, Span, read_edge

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,59}$"


def _minutes(text: object) -> object:
    match = re.fullmatch(r"([01]?\d|2[0-4]):([0-5]\d)", str(text))
    if match is None or (minutes := int(match[1]) * 60 + int(match[2])) > 24 * 60:
        raise ValueError('write a time of day in quotes, such as "09:00"')
    return minutes


ClockTime = Annotated[int, BeforeValidator(_minutes), Field(json_schema_extra={"type": "string"})]


class Staffed(Rule):
    """Staffed on these days from `from` until before `to`, in the policy's time zone."""

    days: tuple[Day, ...] = Field(min_length=1)
    opens: ClockTime = Field(alias="from")
    closes: ClockTime = Field(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> "Staffed":
        if self.opens >= self.closes:
            raise ValueError("`from` must be before `to`; write a night as two spans")
        return self


class Limit(Rule):
    """Reached when `at_most` (cap) or more happened within the rolling span `(t - within, t]`."""

    count: Annotated[int, Field(ge=1, le=16)]
    within: Span


class Holdout(Rule):
    share: Annotated[float, Field(ge=0, le=1)]
    salt: str


class EventNames(Rule):
    orders: Names
    refunds: Names
    partial_refunds: Names
    cancels: Names


class Exclusion(Rule):
    traits: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()


class StopSpans(Rule):
    """How long a stop lasts from what began it."""

    purchased: Span
    refunded: Span
    partially_refunded: Span
    cancelled: Span
    in_conversation: Span


class Tiers(Rule):
    vip_orders: int
    vip_lifetime_value: Money
    high_cart_value: Money


class LtvTiers(Rule):
    mid: Money
    high: Money


class Pressure(Rule):
    channels: tuple[str, ...]
    limits: tuple[Limit, ...]


Share = Annotated[float, Field(gt=0, le=1)]


class MissingShares(Rule):
    """The share of the newest occurrences that may lack a field; 1 never minds.

    price: of a cart line. currency: one that `rates` lists. order_value, order_id, order_person: of an order; it names nobody
    where order_person is missing, and counts half where a forward tells who it was. category: of an order's lines. path:
    of a page visit. A currency, order_id or category is missed only where events of that name once carried it.
    """

    price: Share = 0.2
    currency: Share = 0.2
    order_value: Share = 0.2
    order_id: Share = 0.2
    order_person: Share = 0.6
    category: Share = 0.5
    path: Share = 0.5


class Drift(Rule):
    """When what an audience stands on is not to be trusted any more, so that it begins nothing (`stale_data`).

    newest: occurrences of a field that its share is taken of. at_least: fewer say nothing. silent_after: a silence of so
    many times the usual gap between two events of a kind, counted in signals, is one too many.
    """

    newest: Annotated[int, Field(ge=20)] = 200
    at_least: Annotated[int, Field(ge=10)] = 50
    missing_above: MissingShares = MissingShares()
    silent_after: Annotated[int, Field(ge=2)] = 10


class Audience(Rule):
    """One rule set. `because` is the sentence that an agent reads; `{fact}` names an Intercom attribute."""

    kind: Literal["rescue", "care"]
    priority: int
    anchor: Anchor
    enter_after: Annotated[Edge, BeforeValidator(read_edge)]
    leave_after: Annotated[Edge, BeforeValidator(read_edge)]
    when: tuple[Condition, ...] = ()
    exit: tuple[Condition, ...] = ()
    event: str
    because: str
    hours: Literal["always"] | tuple[Staffed, ...] = "always"
    cool_down: Span = 0
    through_cap: bool = False
    through_pressure: bool = False
    not_stopped_by: tuple[Literal["purchased", "refunded", "in_conversation"], ...] = ()

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
            raise ValueError("the window is empty: enter_after must be shorter than leave_after")
        return self


class Policy(Rule):
    version: Literal[1]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    rates: dict[Annotated[str, Field(pattern="^[A-Z]{3}$")], Annotated[Money, Field(gt=0)]] = Field(
        default_factory=dict
    )
    holdout: Holdout
    time_zone: str
    cart_forgotten_after: Span
    settle: Span
    names: EventNames
    paths: dict[PageKind, Names]
    exclude: Exclusion
    stops: StopSpans
    tiers: Tiers
    ltv_tiers: LtvTiers
    caps: tuple[Limit, ...]
    pressure: Pressure
    drift: Drift = Drift()
    reorder_days: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    guides: tuple[str, ...] = ()
    audiences: dict[Annotated[str, Field(pattern=NAME_PATTERN)], Audience] = Field(min_length=1)

    @model_validator(mode="after")
    def _sound(self) -> "Policy":
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"time_zone {self.time_zone!r} is unknown; write one such as Europe/Berlin") from error
        priorities = [audience.priority for audience in self.audiences.values()]
        if len(set(priorities)) != len(priorities):
            raise ValueError("two audiences have the same priority; one person is in one moment, so give each its own")
        return self

    @cached_property
    def hash(self) -> str:
        """12 hex digits of the policy's content; comments and order of keys do not matter."""
        text = json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @cached_property
    def by_priority(self) -> tuple[tuple[str, Audience], ...]:
        return tuple(sorted(self.audiences.items(), key=lambda item: -item[1].priority))

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


class PolicyError(ValueError):
    """A policy that makes no sense. `str()` is one line per problem: `file:line: what is wrong; what to do`."""


def load(path: Path) -> Policy:
    """The policy in a YAML file. PolicyError when it cannot be read or makes no sense."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "cannot be read"
        raise PolicyError(f"{path}: {reason}; name an existing policy file such as policies/skincare.yaml") from None
    return parse(text, name=str(path))


def parse(text: str, *, name: str) -> Policy:
    """The policy in a YAML text; `name` is what errors call it."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        what = getattr(error, "problem", None) or "unreadable value"
        raise PolicyError(f"{name}:{line}: this is not YAML: {what}; mend the indentation or quoting there") from None
    if not isinstance(document, dict):
        raise PolicyError(f"{name}:1: a policy is a mapping that begins with `version: 1`") from None
    _refuse_doubled_keys(root, name)
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=True)
        lines = [f"{name}:{_line_of(root, problem['loc'])}: {_sentence(problem)}" for problem in problems]
        raise PolicyError("\n".join(dict.fromkeys(lines))) from None


def _refuse_doubled_keys(node: yaml.Node | None, name: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise PolicyError(f"{name}:{line}: `{key.value}` stands twice in one mapping; keep one of them")
            seen.add(key.value)
            _refuse_doubled_keys(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_doubled_keys(value, name)


def _line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    line = 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is None:
                continue  # a step that pydantic adds for a union or a missing key
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line


def _sentence(problem: ErrorDetails) -> str:
    location = problem["loc"]
    place = ".".join(str(step) for step in location)
    match problem["type"]:
        case "missing":
            return f"`{place}` is missing; add it"
        case "extra_forbidden":
            near = get_close_matches(str(location[-1]), _known_keys(), n=1)
            return f"`{place}` is unknown; {f'did you mean `{near[0]}`?' if near else 'remove it'}"
        case "value_error":
            return f"`{place or 'the policy'}`: {problem['msg'].removeprefix('Value error, ')}"
        case _:
            message = problem["msg"]
            return f"`{place}`: {message[:1].lower()}{message[1:]}; change the value"


def _known_keys() -> list[str]:
    keys: set[str] = set()
    models: list[type[BaseModel]] = [Rule]
    while models:
        model = models.pop()
        keys.update(field.alias or name for name, field in model.model_fields.items())
        models.extend(model.__subclasses__())
    return sorted(keys)


def staffed(audience: Audience, zone: ZoneInfo, at: datetime) -> bool:
    """Whether somebody is there for this audience at the aware instant `at`."""
    if audience.hours == "always":
        return True
    local = at.astimezone(zone)
    minute, day = local.hour * 60 + local.minute, DAYS[local.weekday()]
    return any(day in span.days and span.opens <= minute < span.closes for span in audience.hours)


def schema() -> dict[str, Any]:
    """JSON Schema of a policy file, for editors."""
    return Policy.model_json_schema(by_alias=True)


__all__ = ["Audience", "Count", "Policy", "PolicyError", "load", "parse", "schema", "staffed"]
