"""What every message on the wire has in common."""

from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue

MAX_MESSAGE_BYTES = 900 * 1024
"""The largest value of a record, in bytes."""

MAY_GROW: Any = Field(json_schema_extra={"x-may-grow": True})
"""Marks a closed set of an event to which later releases may add: readers expect unknown ones."""


class Key(NamedTuple):
    """What a message is about; as text the record key `acme/accounts/0199…`.

    Where a brand has one thing of a kind its id is empty, and the key `acme/licence`.
    """

    brand: str
    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.brand}/{self.subject}"

    @property
    def subject(self) -> str:
        return f"{self.kind}/{self.id}" if self.id else self.kind

    @classmethod
    def of(cls, text: str) -> "Key":
        """Read a record key. A ValueError where it has not two or three parts."""
        brand, kind, *ids = text.split("/", 2)
        if ids == [""]:
            raise ValueError("A record key does not end in a slash.")
        return cls(brand, kind, *ids or [""])


class Part(BaseModel):
    """Something inside a message. What a reader does not know it ignores; nothing quotes input."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    def to_json(self) -> bytes:
        """Return it as it stands on the wire: an absent field instead of null."""
        return self.model_dump_json(exclude_none=True).encode()


class Message(Part):
    """A request or a fact. Compared by value; who, when and why travel in the envelope."""

    service: ClassVar[str]
    """The service that owns the message, dashed as in its topics."""
    kind: ClassVar[str]
    """The collection of what the message is about, as in the record key `acme/accounts/mail`."""
    major: ClassVar[int] = 1

    @property
    def subject_id(self) -> str:
        raise NotImplementedError

    def key(self, brand: str) -> Key:
        """Messages with the same key arrive in the order they were published."""
        return Key(brand, self.kind, self.subject_id)

    @classmethod
    def type_name(cls) -> str:
        """Return the `ce_type`, for example `keyturn.credential-vault.EditCredentials.v1`."""
        return f"keyturn.{cls.service}.{cls.__name__}.v{cls.major}"


EveryCommandsReason = Literal[
    "invalid",
    "id_reused",
    "id_too_old",
    "expired",
    "dropped",
]
"""Why any command may be refused, whatever it asks for.

`invalid`: its content breaks the contract. `id_reused`: another command had this id. `id_too_old`:
the id was made longer ago than outcomes are kept. `expired`: the signature is right, and came too
late; sending it again with a fresh one is welcome. `dropped`: an operator gave it up.
"""


class Command(Message):
    """A request: the owning service applies it once, or refuses it for one of its reasons."""

    reasons: ClassVar[tuple[str, ...]] = ()
    """Why it may be refused, beside `EveryCommandsReason`."""
    details: ClassVar[type[Part] | None] = None
    """The closed model of an outcome's `details`, where the command has one."""


class Event(Message):
    """A fact, with the whole state of its aggregate after it: the newest of a key is enough."""


class AnnouncedEvent(Part):
    type: str
    subject: str
    sequence: int
    epoch: int | None = None
    """In a new epoch, after a restore from a backup, sequences begin again: the event with the
    highest `(epoch, sequence)` is the newest. Absent in outcomes of releases before it was told."""


class Verdict(Part):
    """What came of one of many things that a command named."""

    subject: str
    verdict: Literal["applied", "unchanged", "suspended", "refused"]
    reason: str | None = None
    message: str | None = None


class CommandApplied(Part):
    """Yes. `changed` is false where it was so already; `note` then says so, in a sentence."""

    outcome: Literal["applied"] = "applied"
    command: str
    """The type's name, for example `EditCredentials`."""
    changed: bool
    note: str | None = None
    revision: int | None = None
    """The service's revision after it, whether it changed anything or not: an answer at least as
    new as this shows all that the command led to, and all that it found to be so already."""
    events: tuple[AnnouncedEvent, ...] = ()
    """What it announced, the first 100."""
    announced: int | None = None
    """How many events it announced, those beyond the first 100 included; absent: nobody says."""
    verdicts: tuple[Verdict, ...] = ()
    """Of a command on many things: the first 100 that were not applied."""
    not_applied: int = 0
    """How many things were not applied, those beyond the first 100 included."""
    details: dict[str, JsonValue] | None = None


class CommandRefused(Part):
    """No, for one of the command's `reasons` or `EveryCommandsReason`. `message` is for people."""

    outcome: Literal["refused"] = "refused"
    command: str
    reason: str
    message: str
    details: dict[str, JsonValue] | None = None


Outcome = Annotated[CommandApplied | CommandRefused, Field(discriminator="outcome")]
