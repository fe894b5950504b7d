"""A real Kafka whose second listener speaks TLS and asks for SASL PLAIN, with a certificate authority made for it alone.

Authority, key and certificate are made by openssl for this run, as the password is.
"""

import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rehearsal.broker import BrokerMissing, real_kafka

USER = "concierge"
_SERVER = """
listeners=PLAINTEXT://127.0.0.1:{port},SECURED://127.0.0.1:{secured},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SECURED://127.0.0.1:{secured}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SECURED:SASL_SSL,CONTROLLER:PLAINTEXT
listener.name.secured.ssl.keystore.type=PEM
listener.name.secured.ssl.keystore.location={store}
listener.name.secured.sasl.enabled.mechanisms=PLAIN
listener.name.secured.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_{user}="{password}";
"""


class Secured(NamedTuple):
    """open and secured: bootstrap addresses of the two listeners. authority: the certificate to trust, PEM."""

    open: str
    secured: str
    authority: Path
    password: str


@contextmanager
def secured_kafka(directory: Path) -> Iterator[Secured]:
    """One broker with both listeners. BrokerMissing."""
    if shutil.which("openssl") is None:
        raise BrokerMissing(
            "a Kafka that speaks TLS needs openssl for its certificate; install it, then run this again"
        )
    password, port = secrets.token_hex(16), free_port()
    store, authority = _certificates(directory)
    more = _SERVER.replace("{secured}", str(port)).replace("{store}", str(store))
    with real_kafka(directory / "kafka", more=more.replace("{user}", USER).replace("{password}", password)) as address:
        yield Secured(address, f"127.0.0.1:{port}", authority, password)


def _certificates(directory: Path) -> tuple[Path, Path]:
    """Key and certificate for 127.0.0.1 in one file, as the broker wants them, and the authority that signed."""
    authority, certificate, store = directory / "authority.pem", directory / "server.pem", directory / "store.pem"
    key, authority_key = directory / "server.key", directory / "authority.key"
    new = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    _openssl("req", *new, "-subj", "/CN=Test authority", "-keyout", authority_key, "-out", authority)
    _openssl(
        "req", *new, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-addext",
        "basicConstraints=critical,CA:FALSE", "-CA", authority, "-CAkey", authority_key, "-keyout", key, "-out", certificate,
    )  # fmt: skip
    store.write_text(key.read_text() + certificate.read_text() + authority.read_text())
    return store, authority


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
