"""Where Kafka and the services are, and whose key signs for the command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from keyturn_client.settings import Kafka, Services
from keyturn_contracts.topics import BACKEND, LOCAL_ISSUER
from pydantic import BaseModel, ValidationError

from shared.cli.locating import locate
from shared.cli.problems import Problem

_KEY_FILE = Path("keys", "local-issuer.json")
"""Below the folder of the stack: the private key of the issuer that it makes for people here."""


@dataclass(frozen=True, slots=True)
class Where:
    kafka: Kafka
    services: Services
    issuer: str
    key_file: Path
    """The issuer's private key."""


class _Principal(BaseModel):
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    password_file: Path


class _Kafka(BaseModel):
    bootstrap: str
    security_protocol: Literal["SASL_PLAINTEXT", "SASL_SSL"]
    principals: dict[str, _Principal]
    ca_file: Path | None = None


class _Service(BaseModel):
    url: str


class _Shown(BaseModel):
    """As much of it as is needed here."""

    kafka: _Kafka
    services: dict[str, _Service]
    data: Path


def find(data_dir: Path | None) -> Where:
    """Return where everything of the running stack is."""
    try:
        shown = _Shown.model_validate(locate(data_dir))
        backend = shown.kafka.principals[BACKEND]
        urls = {name: service.url for name, service in shown.services.items()}
        services = Services(
            credential_vault=urls["credential-vault"],
            workflow=urls["workflow"],
            catalog=urls["catalog"],
            installation=urls["installation"],
            access=urls["access"],
        )
    except (ValidationError, KeyError):
        raise Problem(
            "The running stack is of another version: stop it with `keyturn down` and start it "
            "again with `keyturn up`."
        ) from None
    key_file = shown.data / _KEY_FILE
    if not key_file.exists():
        raise Problem(
            f"The key that signs for the command line is not in {key_file}: `keyturn up` makes it."
        )
    return Where(
        kafka=Kafka(
            bootstrap=shown.kafka.bootstrap,
            principal=BACKEND,
            password_file=backend.password_file,
            security_protocol=shown.kafka.security_protocol,
            mechanism=backend.mechanism,
            ca_file=shown.kafka.ca_file,
        ),
        services=services,
        issuer=LOCAL_ISSUER,
        key_file=key_file,
    )
