"""Checks that a webhook comes from who shares a secret with us, over the raw bytes and in constant time.

Several secrets may be valid at once, so that one can be replaced without losing a webhook.
"""

import hmac
from collections.abc import Sequence

_SIGNATURE_CHARS_MAX = 200  # none is longer than 64 hex digits and a prefix


def customerio_report(body: bytes, *, timestamp: str, signature: str, secrets: Sequence[bytes]) -> bool:
    """X-CIO-Signature: hex HMAC-SHA256 over `v0:<X-CIO-Timestamp>:<body>`.

    The age of the timestamp is not judged: a report may be repeated for seven days, and whether a repeat is signed anew is
    not documented; a replayed report is counted once by its event id.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
        return False
    signed = b"v0:" + timestamp.encode() + b":" + body
    return _signed_by_any(signed, signature, secrets, "sha256")


def pipelines_webhook(body: bytes, *, signature: str, secrets: Sequence[bytes]) -> bool:
    """X-Signature: hex HMAC-SHA1 over the body."""
    return _signed_by_any(body, signature, secrets, "sha1")


def intercom_notification(body: bytes, *, signature: str, secrets: Sequence[bytes]) -> bool:
    """X-Hub-Signature: `sha1=` and the hex HMAC-SHA1 over the body, keyed by the app's client secret."""
    scheme, _, digits = signature.partition("=")
    return scheme == "sha1" and _signed_by_any(body, digits, secrets, "sha1")


def _signed_by_any(signed: bytes, signature: str, secrets: Sequence[bytes], algorithm: str) -> bool:
    if not signature.isascii() or not 0 < len(signature) <= _SIGNATURE_CHARS_MAX:
        return False
    given = signature.strip().lower()
    fits = [hmac.compare_digest(hmac.new(secret, signed, algorithm).hexdigest(), given) for secret in secrets if secret]
    return any(fits)
