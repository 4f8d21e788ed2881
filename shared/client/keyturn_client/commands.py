"""A command as it is sent: made once, signed anew each time it goes out."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime

from keyturn_contracts.actor import Role, engine_issuer, sign_command, sign_token
from keyturn_contracts.envelope import Envelope
from keyturn_contracts.ids import new_id
from keyturn_contracts.keys import SigningKey
from keyturn_contracts.message import MAX_MESSAGE_BYTES, Command
from keyturn_contracts.registry import COMMAND_BY_TYPE
from keyturn_contracts.topics import commands_topic
from pydantic import BaseModel, ConfigDict, field_serializer, field_validator

from keyturn_client.keys import EngineKeys, read_signing_key
from keyturn_client.settings import BackendSettings, EngineSettings
from keyturn_client.wire import Record


class Prepared(BaseModel):
    """A command with its id and its bytes, which stay the same however often it is sent.

    What is secret in it is sealed, so it may be stored until its outcome has come.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    message_type: str
    brand: str
    subject: str
    value: bytes

    @field_serializer("value", when_used="json")
    def _to_text(self, value: bytes) -> str:
        return base64.b64encode(value).decode()

    @field_validator("value", mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else value

    @property
    def command_type(self) -> type[Command]:
        return COMMAND_BY_TYPE[self.message_type]

    @property
    def service(self) -> str:
        """The service that judges it and keeps its outcome."""
        return self.command_type.service

    @property
    def topic(self) -> str:
        return commands_topic(self.service)


def prepare(command: Command, brand: str, command_id: str | None = None) -> Prepared:
    """Fix a command's id and bytes. A ValueError where it is too large to be sent."""
    key = command.key(brand)
    value = command.to_json()
    if len(value) > MAX_MESSAGE_BYTES:
        raise ValueError(
            f"The command has {len(value)} bytes and may have {MAX_MESSAGE_BYTES}: "
            "send less at once."
        )
    return Prepared(
        id=command_id or new_id(),
        message_type=command.type_name(),
        brand=brand,
        subject=key.subject,
        value=value,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who asks. Signs commands and the tokens of requests, each for a few minutes."""

    key: SigningKey = field(repr=False)
    issuer: str
    subject: str
    brand: str
    roles: frozenset[Role] = frozenset()

    @classmethod
    def of_engine(cls, key: SigningKey, *, brand: str, engine_id: str) -> "Signer":
        issuer = engine_issuer(brand, engine_id)
        return cls(key=key, issuer=issuer, subject=issuer, brand=brand)

    @classmethod
    def of(cls, settings: BackendSettings | EngineSettings) -> "Signer":
        """Return who the settings say; an `ExposedKeyError` where others can read the key."""
        if isinstance(settings, EngineSettings):
            return cls.of_engine(
                EngineKeys.load(settings.key_file).sig,
                brand=settings.brand,
                engine_id=settings.engine_id,
            )
        return cls(
            key=read_signing_key(settings.key_file),
            issuer=settings.issuer,
            subject=settings.subject,
            brand=settings.brand,
            roles=settings.roles,
        )

    def token(self, service: str) -> str:
        return sign_token(
            self.key,
            issuer=self.issuer,
            subject=self.subject,
            brand=self.brand,
            roles=self.roles,
            audience=service,
            now=datetime.now(UTC),
        )

    def record(
        self, command: Prepared, *, epoch: int | None = None, number: int | None = None
    ) -> Record:
        """Return the command as a record, with a signature that is valid from now on."""
        now = datetime.now(UTC)
        actor = sign_command(
            self.key,
            issuer=self.issuer,
            subject=self.subject,
            brand=self.brand,
            roles=self.roles,
            topic=command.topic,
            command_id=command.id,
            message_type=command.message_type,
            message_subject=command.subject,
            value=command.value,
            now=now,
            epoch=epoch,
            number=number,
        )
        envelope = Envelope(
            id=command.id,
            type=command.message_type,
            source=f"/{self.issuer}",
            subject=command.subject,
            brand=command.brand,
            time=now,
            epoch=epoch,
            sequence=number,
            actor=actor,
        )
        return Record(
            topic=command.topic,
            key=f"{command.brand}/{command.subject}".encode(),
            value=command.value,
            headers=envelope.to_headers(),
        )
