"""Settings of the running parts, read once at start from `CONCIERGE_*` variables or files, refused where they make no sense.

Any setting X may be given as `CONCIERGE_X`, or as the path of a file that holds it in `CONCIERGE_X_FILE`. Secrets are never
shown, neither by printing the settings nor in an error.
"""

import difflib
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from agents.clock import Clock, read_clock
from contracts.topics import REPLICATION_DEFAULT

PREFIX, FILE_SUFFIX = "CONCIERGE_", "_FILE"
FILE_BYTES_MAX = 64 * 1024  # a secret or a certificate path, never more
NO_KAFKA = "localhost:0"  # a place where nobody can listen, for what never asks Kafka
PARTITIONS_MAX = 1024  # more people-keyed partitions than any cluster here needs
INTERCOM_HOSTS = {
    "us": "https://api.intercom.io", "eu": "https://api.eu.intercom.io", "au": "https://api.au.intercom.io"
}  # fmt: skip
CUSTOMERIO_HOSTS = {"us": "https://cdp.customer.io/v1", "eu": "https://cdp-eu.customer.io/v1"}
_WORD = re.compile(r"[!-~]+")
_BROKER = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Misconfigured(Exception):
    """A setting that makes no sense; the message names it, what is wrong and what to do, and shows no value."""


def _listed(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_listed)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Settings(BaseModel):
    """Each field is the variable `CONCIERGE_` and its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kafka_bootstrap: str = Field(description="brokers as HOST:PORT, several separated by commas")
    kafka_tls: bool = Field(default=False, description="true to speak TLS with the brokers")
    kafka_tls_ca_file: Path | None = Field(default=None, description="certificates to trust, where not the system's")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    kafka_sasl_username: str | None = Field(default=None, description="the user of SASL")
    kafka_sasl_password: SecretStr | None = Field(default=None, description="the password of SASL")
    source_topics: Names = Field(default=(), description="further topics with Customer.io calls, separated by commas")

    data_dir: Path = Field(default=Path("concierge-data"), description="directory of the worker's local state")
    partitions: int = Field(
        default=8, ge=1, le=PARTITIONS_MAX,
        description="partitions of the person-keyed topics; never changed once there are records",
    )  # fmt: skip
    replication: int = Field(
        default=REPLICATION_DEFAULT,
        ge=1,
        le=7,
        description="copies of each topic on the brokers; 1 where there is one broker",
    )
    standbys: int = Field(
        default=1, ge=0, le=3, description="further workers that keep a copy of each partition's state"
    )
    allow_gaps: bool = Field(
        default=False, description="true to go on where records of a topic are gone; what was in them is lost"
    )
    session_seconds: float = Field(default=10, ge=6, le=300, description="silence after which a worker counts as gone")
    policy_file: Path = Field(default=Path("policies/skincare.yaml"), description="the policy in force")
    commit_seconds: float = Field(default=1.0, gt=0, le=60, description="between two commits of the worker")
    mark_seconds: float = Field(default=1.0, gt=0, le=60, description="between two marks of log time")
    clock: str = Field(default="wall", description="`wall`, or `sim:<origin>@<start on the wall>x<speed>`")

    intercom_token: SecretStr | None = Field(default=None, description="access token of the Intercom workspace")
    intercom_region: Literal["us", "eu", "au"] = Field(default="us", description="us, eu or au")
    intercom_url: str | None = Field(default=None, description="address of the Intercom API, instead of a region")
    intercom_others_share: float = Field(
        default=0.2, ge=0, le=0.9,
        description="share of Intercom's rate limit that is left to the workspace's other apps, 0 to 0.9",
    )  # fmt: skip
    reconcile_seconds: float | None = Field(
        default=None, ge=1, le=86_400,
        description="between two contacts that a worker looks at again in Intercom; none where not set",
    )  # fmt: skip
    intercom_client_secrets: Secrets = Field(default=(), description="client secrets that sign Intercom's webhooks")

    customerio_write_key: SecretStr | None = Field(
        default=None, description="write key of a Data Pipelines source; moments are told back to Customer.io with it"
    )
    customerio_region: Literal["us", "eu"] = Field(default="us", description="us or eu")
    customerio_url: str | None = Field(
        default=None, description="address of the Data Pipelines API, instead of a region"
    )
    customerio_webhook_secrets: Secrets = Field(default=(), description="signing keys of reporting webhooks")
    customerio_pipelines_secrets: Secrets = Field(default=(), description="shared secrets of the Webhook destination")
    customerio_pipelines_open: bool = Field(
        default=False, description="true to take unsigned calls, where the network keeps strangers out"
    )
    listen_host: str = Field(default="127.0.0.1", description="address that the receiver listens on")
    listen_port: int = Field(default=8080, ge=0, le=65535, description="port of the receiver")
    metrics_port: int | None = Field(default=None, ge=0, le=65535, description="port of /live, /ready and /metrics")

    @field_validator("kafka_bootstrap")
    @classmethod
    def _brokers(cls, value: str) -> str:
        brokers = [broker.strip() for broker in value.split(",")]
        for broker in brokers:
            match = _BROKER.fullmatch(broker)
            if match is None or int(match[1]) > 65535:
                raise ValueError("not HOST:PORT, or several of them separated by commas, without a scheme or a user")
        return ",".join(brokers)

    @field_validator("kafka_tls_ca_file")
    @classmethod
    def _authority(cls, value: Path | None) -> Path | None:
        """Else each of the three clients fails at it in its own words, and again after every restart."""
        if value is not None:
            try:
                ssl.create_default_context(cafile=value)
            except OSError:
                raise ValueError("not a readable file with certificates in PEM") from None
        return value

    @field_validator("clock")
    @classmethod
    def _clock(cls, value: str) -> str:
        read_clock(value)
        return value

    @field_validator("intercom_token", "customerio_write_key")
    @classmethod
    def _one_word(cls, value: SecretStr | None) -> SecretStr | None:
        """What no header can carry is refused here, since the HTTP client would quote it in its error."""
        if value is not None and not _WORD.fullmatch(value.get_secret_value()):
            raise ValueError("not one word of printable ASCII characters, as tokens are")
        return value

    @field_validator("intercom_url", "customerio_url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
            if not (parts.hostname and (parts.scheme == "https" or plain)) or parts.username:
                raise ValueError("not an https address (http is for this machine only), or one that holds a password")
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        given = (self.kafka_sasl_mechanism, self.kafka_sasl_username, self.kafka_sasl_password)
        if any(given) and not all(given):
            raise ValueError(
                "kafka_sasl_mechanism, kafka_sasl_username and kafka_sasl_password go together; set all three or none"
            )
        if self.kafka_tls_ca_file is not None and not self.kafka_tls:
            raise ValueError("kafka_tls_ca_file says whom to trust over TLS; set kafka_tls to true, or remove it")
        if self.kafka_sasl_mechanism and not self.kafka_tls:
            raise ValueError("kafka_sasl_password would travel unencrypted; set kafka_tls to true")
        if self.customerio_pipelines_open and self.customerio_pipelines_secrets:
            raise ValueError("customerio_pipelines_open and customerio_pipelines_secrets exclude each other; keep one")
        return self

    def clock_port(self) -> Clock:
        return read_clock(self.clock)

    @property
    def intercom_address(self) -> str:
        return (self.intercom_url or INTERCOM_HOSTS[self.intercom_region]).rstrip("/")

    @property
    def customerio_address(self) -> str:
        return (self.customerio_url or CUSTOMERIO_HOSTS[self.customerio_region]).rstrip("/")


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment such as `os.environ`. Misconfigured, with one line for each thing that is wrong."""
    return _read(*_gathered(environment))


def read_intercom_settings(environment: Mapping[str, str]) -> Settings:
    """For what speaks with Intercom alone: the token must be there, Kafka need not. Misconfigured as above."""
    given, wrong = _gathered(environment)
    if "intercom_token" not in given:
        asked = Settings.model_fields["intercom_token"].description
        wrong.append(f"{PREFIX}INTERCOM_TOKEN: is not set; set it to: {asked}")
    return _read({"kafka_bootstrap": NO_KAFKA} | given, wrong)


def _read(given: dict[str, Any], wrong: list[str]) -> Settings:
    if wrong:
        raise Misconfigured("\n".join(wrong))
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise Misconfigured("\n".join(_sentence(found) for found in error.errors(include_input=False))) from None


def _gathered(environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    given: dict[str, Any] = {}
    wrong: list[str] = []
    for variable in sorted(environment):
        if not variable.startswith(PREFIX) or environment[variable] == "":
            continue
        name, value = variable.removeprefix(PREFIX).lower(), environment[variable]
        if name not in Settings.model_fields and name.endswith(FILE_SUFFIX.lower()):
            name = name.removesuffix(FILE_SUFFIX.lower())
            try:
                value = _file_text(Path(value))
            except (OSError, ValueError):
                wrong.append(f"{variable}: the file cannot be read as text; give the path of a small readable file")
                continue
        if name not in Settings.model_fields:
            near = difflib.get_close_matches(name, Settings.model_fields, 1)
            hint = f"did you mean {PREFIX}{near[0].upper()}?" if near else "remove it"
            wrong.append(f"{variable}: there is no such setting; {hint}")
        elif name in given:
            wrong.append(f"{variable}: given twice, as a value and as a file; keep one")
        else:
            given[name] = value
    return given, wrong


def _file_text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise ValueError("too large")
    return data.decode().strip()


def _sentence(error: Any) -> str:
    reason = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return _with_variables(reason)
    name = str(error["loc"][0])
    asked = Settings.model_fields[name].description
    said = "is not set" if error["type"] == "missing" else reason[:1].lower() + reason[1:]
    return f"{PREFIX}{name.upper()}: {said}; set it to: {asked}"


def _with_variables(reason: str) -> str:
    for name in sorted(Settings.model_fields, key=len, reverse=True):
        reason = reason.replace(name, PREFIX + name.upper())
    return reason
