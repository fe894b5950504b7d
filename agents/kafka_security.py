"""TLS and SASL as the settings say, in the words of each of the three Kafka clients."""

import ssl
from typing import Any

import faust

from agents.settings import Settings


def for_aiokafka(settings: Settings) -> dict[str, Any]:
    """Arguments of an AIOKafkaProducer or Consumer."""
    if not settings.kafka_tls:
        return {"security_protocol": "PLAINTEXT"}
    if settings.kafka_sasl_mechanism is None:
        return {"security_protocol": "SSL", "ssl_context": _trusted(settings)}
    return {
        "security_protocol": "SASL_SSL", "ssl_context": _trusted(settings),
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username, "sasl_plain_password": _password(settings),
    }  # fmt: skip


def for_faust(settings: Settings) -> Any:
    """A faust.auth value, None for a plain connection."""
    if not settings.kafka_tls:
        return None
    if settings.kafka_sasl_mechanism is None:
        return faust.SSLCredentials(_trusted(settings))
    return faust.SASLCredentials(
        username=settings.kafka_sasl_username, password=_password(settings), ssl_context=_trusted(settings),
        mechanism=settings.kafka_sasl_mechanism,
    )  # fmt: skip


def for_librdkafka(settings: Settings) -> dict[str, str]:
    """Configuration of a confluent_kafka client, the brokers included."""
    found = {"bootstrap.servers": settings.kafka_bootstrap}
    if settings.kafka_tls:
        found["security.protocol"] = "SSL" if settings.kafka_sasl_mechanism is None else "SASL_SSL"
        if settings.kafka_tls_ca_file is not None:
            found["ssl.ca.location"] = str(settings.kafka_tls_ca_file)
    if settings.kafka_sasl_mechanism is not None:
        found["sasl.mechanism"] = settings.kafka_sasl_mechanism
        found["sasl.username"] = settings.kafka_sasl_username or ""
        found["sasl.password"] = _password(settings)
    return found


def _trusted(settings: Settings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=settings.kafka_tls_ca_file)


def _password(settings: Settings) -> str:
    return settings.kafka_sasl_password.get_secret_value() if settings.kafka_sasl_password is not None else ""
