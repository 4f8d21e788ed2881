"""What the library is told: where things are, who it is, and which files hold its keys."""

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from keyturn_contracts.actor import Role
from keyturn_contracts.ids import Id
from keyturn_contracts.topics import LOCAL_ISSUER
from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Kafka(_Settings):
    """How Kafka is reached. The password is read from its file each time it is needed."""

    bootstrap: str
    principal: str
    """`backend`, or `engine` of an engine."""
    password_file: Path
    """Readable by its owner alone."""
    security_protocol: Literal["SASL_PLAINTEXT", "SASL_SSL"] = "SASL_PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    ca_file: Path | None = None


class Services(_Settings):
    """The addresses of the services, for example `http://127.0.0.1:21001`."""

    credential_vault: str
    workflow: str
    catalog: str | None = None
    installation: str | None = None
    access: str | None = None
    ca_file: Path | None = None


class BackendSettings(_Settings):
    """A system that sends commands in the name of its people."""

    kafka: Kafka
    services: Services
    brand: str
    issuer: str = LOCAL_ISSUER
    key_file: Path
    """The issuer's private signing key, as a JWK."""
    subject: str
    """The person or system that acts: a member of the brand."""
    roles: frozenset[Role] = frozenset({"administrator"})
    kept: Path | None = None
    """A folder for commands whose outcome has not come, so that a new process can send them again.
    What is secret in them is sealed."""


class EngineSettings(_Settings):
    """A workflow engine."""

    kafka: Kafka
    services: Services
    brand: str
    engine_id: Id
    key_file: Path
    """The engine's two private keys, as `EngineKeys.save` writes them."""
    state_file: Path
    """The engine's own list, numbers and messages (SQLite). Never a credential. One process at a
    time uses it."""
    max_suspended_age: timedelta = Field(
        default=timedelta(minutes=5), ge=timedelta(seconds=30), le=timedelta(days=1)
    )
    """How long runs begin by what was known last of suspended tasks, while neither Kafka nor the
    workflow service says what holds. In JSON seconds or ISO 8601 (`PT5M`).

    So long after access was taken away an engine that is cut off from both may begin a run; and
    after so long an outage of both it begins none that uses an account. While only Kafka is away
    the list is read from the service, every 15 s."""


class ReplicaSettings(_Settings):
    """A copy of what a brand may use and reach, in the process of an engine or a backend system."""

    kafka: Kafka
    brand: str
    max_age: timedelta = Field(default=timedelta(seconds=10), ge=timedelta(seconds=1))
    """How old the copy may be: an older one allows nothing. In JSON seconds or ISO 8601 (`PT10S`).

    What was taken away is blocked after this time at the latest, whatever happens to Kafka. The
    age of a copy that is kept up stays below a second."""
    max_kept: int = Field(default=1_000_000, ge=1)
    """How many members, accounts, grants and enablements are kept at most, ended ones too: as many
    as the topics hold of the brand. Where there are more, nothing about access is known here."""
    ask_as: EngineSettings | BackendSettings | None = None
    """Who asks the access service where the copy cannot say; None: nobody asks, it fails closed."""

    @model_validator(mode="after")
    def _asks_for_its_brand(self) -> Self:
        if self.ask_as is not None and self.ask_as.brand != self.brand:
            raise ValueError("Who asks has to be of the replica's brand.")
        if self.ask_as is not None and self.ask_as.services.access is None:
            raise ValueError("To ask the access service, its address has to be among `services`.")
        return self
