import subprocess
from pathlib import Path

import pytest

from agents.settings import Misconfigured, read_settings

BROKER = {"CONCIERGE_KAFKA_BOOTSTRAP": "a:1,b:2"}


def complaint(**more: str) -> str:
    with pytest.raises(Misconfigured) as refused:
        read_settings({**BROKER, **{f"CONCIERGE_{name}": value for name, value in more.items()}})
    return str(refused.value)


def test_settings_are_read_from_the_environment_and_nothing_else_of_it() -> None:
    settings = read_settings({**BROKER, "PATH": "/bin", "CONCIERGE_PARTITIONS": "4", "CONCIERGE_SOURCE_TOPICS": "a, b"})
    assert (settings.partitions, settings.source_topics, settings.commit_seconds) == (4, ("a", "b"), 1.0)
    assert settings.intercom_address == "https://api.intercom.io"


def test_a_secret_may_be_a_file_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("very-secret\n")
    settings = read_settings({
        **BROKER, "CONCIERGE_INTERCOM_TOKEN_FILE": str(tmp_path / "token"),
        "CONCIERGE_CUSTOMERIO_WEBHOOK_SECRETS": "one-secret, two-secret",
    })  # fmt: skip
    assert settings.intercom_token is not None
    assert settings.intercom_token.get_secret_value() == "very-secret"
    assert [secret.get_secret_value() for secret in settings.customerio_webhook_secrets] == ["one-secret", "two-secret"]
    assert "-secret" not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"PARTITIONS": "none"}, "CONCIERGE_PARTITIONS"), ({"PARTITIONS": "0"}, "CONCIERGE_PARTITIONS"),
        ({"COMMIT_SECONDS": "-1"}, "CONCIERGE_COMMIT_SECONDS"), ({"KAFKA_BOOTSTRAP": "broker"}, "HOST:PORT"),
        ({"PARTITION": "4"}, "did you mean CONCIERGE_PARTITIONS?"), ({"CLOCK": "sundial"}, "CONCIERGE_CLOCK"),
        ({"INTERCOM_URL": "http://api.intercom.io"}, "CONCIERGE_INTERCOM_URL"), ({"INTERCOM_REGION": "moon"}, "us, eu or au"),
        ({"KAFKA_TLS": "true", "KAFKA_SASL_USERNAME": "u"}, "CONCIERGE_KAFKA_SASL_MECHANISM"),
        ({"CUSTOMERIO_PIPELINES_OPEN": "yes", "CUSTOMERIO_PIPELINES_SECRETS": "x"}, "CONCIERGE_CUSTOMERIO_PIPELINES_OPEN"),
        ({"INTERCOM_TOKEN": "a", "INTERCOM_TOKEN_FILE": "pyproject.toml"}, "given twice"),
        ({"INTERCOM_TOKEN_FILE": "/nowhere/at/all"}, "CONCIERGE_INTERCOM_TOKEN_FILE"),
        ({"KAFKA_BOOTSTRAP": "a:1;b:2"}, "separated by commas"), ({"KAFKA_BOOTSTRAP": "a:1,,b:2"}, "separated by commas"),
        ({"KAFKA_BOOTSTRAP": "PLAINTEXT://a:1"}, "without a scheme"), ({"KAFKA_BOOTSTRAP": "u:pw@a:1"}, "or a user"),
        ({"KAFKA_BOOTSTRAP": "a:65536"}, "HOST:PORT"), ({"KAFKA_TLS_CA_FILE": "/nowhere/at/all"}, "CONCIERGE_KAFKA_TLS_CA_FILE"),
        ({"KAFKA_TLS": "true", "KAFKA_TLS_CA_FILE": "pyproject.toml"}, "certificates in PEM"),
        ({"KAFKA_TLS": "true", "KAFKA_SASL_USERNAME": "u"}, "set all three or none"),
        ({"COMMIT_SECONDS": "nan"}, "CONCIERGE_COMMIT_SECONDS"), ({"SESSION_SECONDS": "inf"}, "CONCIERGE_SESSION_SECONDS"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_name(given: dict[str, str], named: str) -> None:
    assert named in complaint(**given)


def test_a_missing_broker_is_asked_for() -> None:
    with pytest.raises(Misconfigured, match="CONCIERGE_KAFKA_BOOTSTRAP: is not set; set it to: brokers as HOST:PORT"):
        read_settings({})


def test_a_password_does_not_travel_unencrypted() -> None:
    sasl = {"KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "hunter2-pw"}
    said = complaint(**sasl)
    assert "set CONCIERGE_KAFKA_TLS to true" in said
    assert "hunter2-pw" not in said
    assert read_settings(
        {**BROKER, "CONCIERGE_KAFKA_TLS": "1", **{f"CONCIERGE_{k}": v for k, v in sasl.items()}}
    ).kafka_tls


@pytest.mark.parametrize("brokers", ["a:1", "a:1, b-2.kafka_x.svc.:65535", "[::1]:9092", "10.0.0.1:9092,a:0"])
def test_every_form_of_a_broker_is_taken(brokers: str) -> None:
    given = read_settings({"CONCIERGE_KAFKA_BOOTSTRAP": brokers})
    assert given.kafka_bootstrap == brokers.replace(" ", "")


def test_an_authority_without_tls_is_no_plain_connection(tmp_path: Path) -> None:
    """Whoever names one believes that the connection is encrypted."""
    authority = tmp_path / "authority.pem"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(tmp_path / "key.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", *key, "-subj", "/CN=Test", "-out", str(authority)], check=True, capture_output=True
    )
    assert "set CONCIERGE_KAFKA_TLS to true" in complaint(KAFKA_TLS_CA_FILE=str(authority))
    assert "certificates in PEM" in complaint(KAFKA_TLS="true", KAFKA_TLS_CA_FILE=str(tmp_path / "key.pem"))
    read_settings({**BROKER, "CONCIERGE_KAFKA_TLS": "true", "CONCIERGE_KAFKA_TLS_CA_FILE": str(authority)})


def test_every_complaint_is_made_at_once() -> None:
    assert len(complaint(PARTITIONS="x", CLOCK="y", MARK_SECONDS="0").splitlines()) == 3
