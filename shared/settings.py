"""What a service is told before it starts: where its parts are, and what it may say to them.

It is one JSON file for each service, readable by its owner alone; nothing secret is ever in an
argument or in the environment, where other processes would see it.
"""

import os
import stat
import tempfile
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    FieldSerializationInfo,
    JsonValue,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_serializer,
)

Own = TypeVar("Own", bound=BaseModel)

Host = Annotated[str, StringConstraints(to_lower=True, min_length=1, max_length=253)]
"""A host by its name, in small letters."""

DatabaseRole = Literal["owner", "writer", "reader"]
_DISCLOSED = {"disclosed": True}


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _WithPassword(_Settings):
    password: SecretStr

    @field_serializer("password", when_used="json")
    def _disclose(self, password: SecretStr, info: FieldSerializationInfo) -> str:
        return password.get_secret_value() if info.context == _DISCLOSED else str(password)


class Login(_WithPassword):
    """A name and its password."""

    name: str


class KafkaSettings(_WithPassword):
    """How one principal reaches Kafka."""

    bootstrap: str
    security_protocol: Literal["SASL_PLAINTEXT", "SASL_SSL"] = "SASL_PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    principal: str
    ca_file: Path | None = None
    """Whom to believe about the broker's certificate; absent: whom the system believes."""


class DatabaseSettings(_Settings):
    """A service's own database, with its three roles."""

    host: str
    """A host, or the folder of a unix socket when it begins with `/`."""
    port: int = 5432
    name: str
    owner: Login
    """Owns the tables: migrations alone."""
    writer: Login
    """Consumers and jobs."""
    reader: Login
    """HTTP queries, under forced row-level security."""
    tls: Literal["disable", "require", "verify-full"] = "disable"
    ca_file: Path | None = None

    def login(self, role: DatabaseRole) -> Login:
        return {"owner": self.owner, "writer": self.writer, "reader": self.reader}[role]


class RedisSettings(_WithPassword):
    """Redis, where a service may use keys and channels below `<service>:` only."""

    socket: Path | None = None
    """A unix socket; when it is given, host and port are not used."""
    host: str = "127.0.0.1"
    port: int = 6379
    database: int = 0
    user: str
    tls: bool = False


class HttpSettings(_Settings):
    """Where a service listens."""

    host: str = "127.0.0.1"
    port: int
    tls_certificate: Path | None = None
    """A certificate chain in PEM, with its key in `tls_key`."""
    tls_key: Path | None = None
    tls_ends_before_me: bool = False
    """Something in front speaks TLS: another address than loopback may be served in clear."""


class ServiceSettings(_Settings):
    """Everything that a service is told."""

    service: str
    """Its name and its principal, for example `credential-vault`."""
    kafka: KafkaSettings
    database: DatabaseSettings
    redis: RedisSettings
    http: HttpSettings
    keys: Path
    """The folder of its own keys, mode 0700."""
    issuers: Path
    """The folder that describes who may send commands."""
    extra: dict[str, JsonValue] = {}
    """What this service alone understands, for its own `settings.py` to judge."""


class WrongExtra(ValueError):  # noqa: N818  its text is what the operator reads
    """The `extra` of a service's settings is wrong. Its text names the fields, never a value."""


def read_extra(settings: ServiceSettings, model: type[Own]) -> Own:
    """Read what a service alone understands, or raise `WrongExtra`."""
    try:
        return model.model_validate(settings.extra)
    except ValidationError as error:
        named = {
            f"{'.'.join(map(str, one['loc']))} ({one['type']})"
            for one in error.errors()
            # Nobody set that one: what it is made of is wrong, and is named too.
            if one["type"] != "default_factory_not_called"
        }
        raise WrongExtra(
            f"`extra` in the settings of {settings.service} is wrong: {', '.join(sorted(named))}."
        ) from None


class ExposedSettings(PermissionError):  # noqa: N818  its text is what the operator reads
    """The file of a service's settings holds passwords and others may read it."""


def read_settings(path: Path) -> ServiceSettings:
    """Read a service's settings; refuse a file that anybody but its owner may read."""
    with path.open(encoding="utf-8") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise ExposedSettings(
                f"{path} holds passwords and has mode {mode:04o}: run chmod 0600 {path}."
            )
        return ServiceSettings.model_validate_json(file.read())


def write_settings(path: Path, settings: ServiceSettings) -> None:
    """Write the settings with their passwords, mode 0600; a reader sees the old or the new."""
    text = settings.model_dump_json(indent=2, exclude_none=True, context=_DISCLOSED)
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    Path(beside).replace(path)
