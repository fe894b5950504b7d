"""The published vectors (facts: key, body, hash), and what must not pass."""

import hashlib
import hmac

import pytest

from agents.signature import customerio_report, intercom_notification, pipelines_webhook

BODY = b'{"userId":"1","marketingCtaId":"worlds-best-campaign"}'
STAMP = "1715784949"
SIGNATURE = "b01e7dfc3ce67eaab1010b7021b86ce2ba12677d191e0e04b14cd859e347f866"


def test_the_published_report_signature_is_accepted_with_any_listed_secret() -> None:
    for secrets in ([b"topsecret"], [b"next", b"topsecret"], [b"topsecret", b"next"]):
        assert customerio_report(BODY, timestamp=STAMP, signature=SIGNATURE, secrets=secrets)


@pytest.mark.parametrize(
    ("body", "stamp", "signature", "secrets"),
    [
        (BODY + b" ", STAMP, SIGNATURE, [b"topsecret"]), (BODY, "1715784950", SIGNATURE, [b"topsecret"]),
        (BODY, STAMP, SIGNATURE, [b"other"]), (BODY, STAMP, SIGNATURE, []), (BODY, STAMP, SIGNATURE, [b""]),
        (BODY, STAMP, "", [b"topsecret"]), (BODY, STAMP, "é" * 64, [b"topsecret"]), (BODY, "", SIGNATURE, [b"topsecret"]),
        (BODY, "x:y", SIGNATURE, [b"topsecret"]), (BODY, STAMP, "a" * 10_000, [b"topsecret"]),
    ],
)  # fmt: skip
def test_a_report_that_was_changed_is_refused(body: bytes, stamp: str, signature: str, secrets: list[bytes]) -> None:
    assert not customerio_report(body, timestamp=stamp, signature=signature, secrets=secrets)


def test_an_empty_secret_signs_nothing() -> None:
    forged = hmac.new(b"", BODY, hashlib.sha1).hexdigest()
    assert not pipelines_webhook(BODY, signature=forged, secrets=[b""])


def test_calls_and_notifications_are_signed_over_the_body() -> None:
    digits = hmac.new(b"key", BODY, hashlib.sha1).hexdigest()
    assert pipelines_webhook(BODY, signature=digits, secrets=[b"key"])
    assert intercom_notification(BODY, signature="sha1=" + digits, secrets=[b"old", b"key"])
    for wrong in (digits, "sha256=" + digits, "sha1=" + digits[:-1], "sha1="):
        assert not intercom_notification(BODY, signature=wrong, secrets=[b"key"])
