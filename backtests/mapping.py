"""Mappings: which column of a table means what, so that its rows can be told as Customer.io calls.

Two presets stand here; any other file brings a mapping of its own as YAML. A mapping that makes no sense raises
MappingError, one line per problem, with the remedy.
"""

from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

LINE_PROPERTIES = frozenset({"product_id", "sku", "name", "category", "brand", "variant", "price", "quantity"})
NUMBERS = frozenset({"price", "quantity", "total", "revenue", "value", "shipping", "tax", "discount"})

Constant = str | bool | int | Decimal


class MappingError(ValueError):
    """A mapping that makes no sense. `str()` is one line per problem."""


class Mapping(BaseModel):
    """Columns by meaning.

    name: begins every message id. user, email, anonymous: columns that name the person; one is enough.
    time: column of the instant: RFC 3339 (UTC where no offset stands), Unix seconds or milliseconds.
    event, events: column of the kind of row, and the Customer.io event of each kind (None: left out, and counted).
    every: the event of all rows, where no column tells it.
    properties: property -> column. constants: property -> value. Of an order, product properties become a line of
    `products`, and `total` is the sum of price x quantity where no column gives it.
    order: column of the order id; rows that share it are the lines of one order.
    refund: an order id that begins so is `Order Refunded`, its amount without the sign.
    guests: what happens to a row that names nobody.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")] = "import"
    user: str | None = None
    email: str | None = None
    anonymous: str | None = None
    time: str
    event: str | None = None
    events: dict[str, str | None] = {}
    every: str | None = None
    properties: dict[str, str] = {}
    constants: dict[str, Constant] = {}
    order: str | None = None
    refund: str | None = None
    guests: Literal["reject", "skip"] = "reject"
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","

    @model_validator(mode="after")
    def _sound(self) -> "Mapping":
        if not (self.user or self.email or self.anonymous):
            raise ValueError("nobody is named; give the column of `user`, `email` or `anonymous`")
        if (self.event is None) == (self.every is None):
            raise ValueError("give either `event` (a column, with `events`) or `every` (one event for all rows)")
        if self.event is not None and not self.events:
            raise ValueError("`event` needs `events`: which value of the column is which Customer.io event")
        if self.refund is not None and self.order is None:
            raise ValueError("`refund` is the beginning of an order id; give the column of `order`")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the mapping names, each once."""
        single = (self.user, self.email, self.anonymous, self.time, self.event, self.order)
        return tuple(dict.fromkeys(name for name in (*single, *self.properties.values()) if name is not None))


PRESETS = {
    "rees46": Mapping(
        name="rees46",
        user="user_id",
        time="event_time",
        event="event_type",
        events={
            "view": "Product Viewed",
            "cart": "Product Added",
            "remove_from_cart": "Product Removed",
            "purchase": "Order Completed",
        },
        properties={"product_id": "product_id", "category": "category_code", "brand": "brand", "price": "price"},
        constants={"quantity": 1, "currency": "USD"},
    ),
    "online-retail": Mapping(
        name="online-retail",
        user="CustomerID",
        time="InvoiceDate",
        every="Order Completed",
        properties={
            "product_id": "StockCode",
            "name": "Description",
            "quantity": "Quantity",
            "price": "UnitPrice",
            "country": "Country",
        },
        constants={"currency": "GBP"},
        order="InvoiceNo",
        refund="C",  # a cancellation names its own invoice, not the one that it takes back
        guests="skip",
    ),
}


def load(path: Path) -> Mapping:
    """The mapping in a YAML file. MappingError when it cannot be read or makes no sense."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(f"{path}: cannot be read ({error.strerror}); name an existing mapping file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise MappingError(f"{path}{line}: this is not YAML; mend the indentation or quoting there") from None
    if not isinstance(document, dict):
        raise MappingError(f"{path}: a mapping file is a mapping such as `user: customer_id`")
    try:
        return Mapping.model_validate(document)
    except ValidationError as error:
        problems = (_sentence(problem["type"], problem["loc"], problem["msg"]) for problem in error.errors())
        raise MappingError("\n".join(f"{path}: {sentence}" for sentence in dict.fromkeys(problems))) from None


def _sentence(kind: str, location: tuple[int | str, ...], message: str) -> str:
    place = ".".join(str(step) for step in location)
    match kind:
        case "missing":
            return f"`{place}` is missing; add it"
        case "extra_forbidden":
            near = get_close_matches(str(location[-1]), Mapping.model_fields, n=1)
            return f"`{place}` is unknown; {f'did you mean `{near[0]}`?' if near else 'remove it'}"
        case "value_error":
            return message.removeprefix("Value error, ")
        case _:
            return f"`{place}`: {message[:1].lower()}{message[1:]}; change the value"
