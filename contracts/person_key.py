"""The key of a person as one message tells it: `id:`, else `cio:`, else `email:`, else `anon:`.

Computed from the message alone. A key that could stand for two people, or for none (control characters, text that lost
bytes on its way, more than 200 characters), is refused and never trimmed into somebody else's.
"""

import re
from collections.abc import Mapping

from contracts.parsed import Refused

KEY_CHARS_MAX = 200  # Customer.io allows 150 bytes; longer ones are no identifiers
KINDS = ("id", "cio", "email", "anon")
NOT_NAMED = "a person is named as id:..., cio:..., email:... or anon:..., as in decisions"  # does not repeat the key
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffd]")  # U+FFFD: bytes were lost


def identifier(value: object) -> str | None:
    """An id as text (an integer as its digits), None where it is missing or blank. Refused `bad_key` when unfit."""
    if isinstance(value, str):
        if len(value) <= KEY_CHARS_MAX and value.isprintable() and "\ufffd" not in value:
            return value if value.strip() else None
        text = value
    elif value is None:
        return None
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    else:
        raise Refused("bad_key")
    if not text.strip():
        return None
    if len(text) > KEY_CHARS_MAX or _UNFIT.search(text):
        raise Refused("bad_key")
    return text


def email_address(value: object) -> str | None:
    """The address lower-cased and trimmed; None where it is none that could be written to: `n/a` is anybody's."""
    if not isinstance(value, str) or "@" not in value:
        return None
    text = value.strip().lower()
    if len(text) > KEY_CHARS_MAX or " " in text or not text.isprintable() or "\ufffd" in text:
        return None
    return text


def named(text: str) -> str | None:
    """The key as the log has it, of one that somebody wrote: `id:`, `cio:`, `email:` or `anon:`; None where it is none."""
    kind, _, value = text.partition(":")
    try:
        known = email_address(value) if kind == "email" else identifier(value)
    except Refused:
        return None
    return f"{kind}:{known}" if kind in KINDS and known is not None else None


def person_keys(*, user: object, cio: object, email: str | None, anonymous: object) -> list[str]:
    """All keys of one message, strongest first; empty when it names nobody.

    Refused `bad_key` when the strongest is unfit: falling back to a weaker one would split the person. An unfit weaker
    key is left out.
    """
    keys: list[str] = []
    for kind, value in (("id", user), ("cio", cio), ("email", email), ("anon", anonymous)):
        if value is None:
            continue
        try:
            text = identifier(value)
        except Refused:
            if keys:
                continue
            raise
        if text is not None:
            keys.append(f"{kind}:{text}")
    return keys


def section(message: Mapping[str, object], name: str) -> dict[str, object]:
    """The object under `name`, an empty one where there is none."""
    value = message.get(name)
    return value if isinstance(value, dict) else {}
