"""The Intercom field manifest: every contact attribute that Concierge writes, with its type and what a person reads there.

`contracts/fields.lock.json` holds what was ever shipped. Renaming or retyping an attribute without a version suffix fails
a test against it, since Intercom can neither rename nor retype an attribute that segments stand on.
"""

import re
from typing import Literal, NamedTuple

DataType = Literal["string", "integer", "float", "boolean", "date"]
CUSTOM_ATTRIBUTES_MAX = 250  # per workspace, Intercom's limit
STRING_CHARS_MAX = 255  # Intercom's limit for one value
FLAG = "cio_segment_"  # before an audience's name: the attribute that its segment stands on


class Field(NamedTuple):
    name: str
    data_type: DataType
    description: str


FACTS = (
    Field("cio_moment", "string", "The moment that this person is in now, empty when none"),
    Field("cio_moment_reason", "string", "Why this person needs somebody now, as a sentence"),
    Field("cio_moment_expires_at", "date", "When the moment is over by itself"),
    Field("cio_tier", "string", "vip, high or standard"),
    Field("intercom_assisted", "boolean", "A moment was shown here for this person at least once"),
    Field("last_cart_value", "float", "Value of the cart as it is now, in the policy's currency"),
    Field("last_cart_category", "string", "Category of the largest line of the cart"),
    Field("last_viewed_product", "string", "Product that was looked at last"),
    Field("returns_page_visited", "boolean", "Visited a returns page in the last 30 days"),
    Field("lifetime_orders", "integer", "Orders that were neither cancelled nor fully refunded"),
    Field("predicted_ltv_tier", "string", "low, mid or high"),
)

SENTENCE_FACTS = (
    *(field.name for field in FACTS if not field.name.startswith("cio_moment")),  # a sentence cannot stand in itself
    "currency",
)
PLACE = re.compile(r"\{(\w+)\}")  # where an audience's sentence is filled in


def places(sentence: str) -> list[str]:
    """The facts that a sentence asks for."""
    return PLACE.findall(sentence)


def unfilled(sentence: str) -> bool:
    """Whether a brace would be left over once the places are filled in."""
    return re.search(r"[{}]", PLACE.sub("", sentence)) is not None


def segment_field(audience: str) -> str:
    return f"{FLAG}{audience}"


def is_flag(attribute: str) -> bool:
    """Whether the attribute tells that somebody is in the moment of an audience."""
    return attribute.startswith(FLAG)


def manifest(audiences: tuple[str, ...]) -> tuple[Field, ...]:
    """All attributes for a policy with these audiences, in the order in which `concierge setup` creates them."""
    flags = tuple(
        Field(segment_field(name), "boolean", f"In the moment {name.replace('_', ' ')} now") for name in audiences
    )
    return flags + FACTS
