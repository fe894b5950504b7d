"""TLS and SASL reach each of the three Kafka clients in its own words; a broker that asks for SCRAM is not run here."""

import pytest
from confluent_kafka.admin import AdminClient
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from pydantic import SecretStr

from agents import kafka_security
from agents.settings import Settings


def settings(mechanism: str | None) -> Settings:
    sasl = {
        "kafka_sasl_mechanism": mechanism,
        "kafka_sasl_username": "u",
        "kafka_sasl_password": SecretStr("the-password"),
    }
    return Settings.model_validate(
        {"kafka_bootstrap": "a:1", "kafka_tls": True, **(sasl if mechanism is not None else {})}
    )


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_every_client_speaks_the_mechanism_over_tls(mechanism: str) -> None:
    given = settings(mechanism)
    carried = credentials_to_aiokafka_auth(kafka_security.for_faust(given))
    for one in (kafka_security.for_aiokafka(given), carried):
        assert (one["security_protocol"], one["sasl_mechanism"]) == ("SASL_SSL", mechanism)
        assert (one["sasl_plain_username"], one["sasl_plain_password"]) == ("u", "the-password")
        assert one["ssl_context"].check_hostname
    ours = kafka_security.for_librdkafka(given)
    assert (ours["security.protocol"], ours["sasl.mechanism"], ours["sasl.password"]) == (
        "SASL_SSL", mechanism, "the-password",
    )  # fmt: skip
    AdminClient(ours | {"log_level": "0"})  # librdkafka refuses what it does not know
    assert "the-password" not in repr(kafka_security.for_faust(given)) + repr(given)


def test_tls_alone_is_tls_for_every_client() -> None:
    given = settings(None)
    carried = credentials_to_aiokafka_auth(kafka_security.for_faust(given))
    assert carried["security_protocol"] == kafka_security.for_aiokafka(given)["security_protocol"] == "SSL"
    assert kafka_security.for_librdkafka(given)["security.protocol"] == "SSL"
