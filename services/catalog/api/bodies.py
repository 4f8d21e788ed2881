"""What several answers of the catalog have in common."""

from typing import Literal

from keyturn_contracts.catalog import Party, Step
from pydantic import BaseModel

from services.catalog.rules.shelf import Card
from services.catalog.rules.support import Contact, Side

Label = Literal["Preview"]


class ContactBody(BaseModel):
    """Whom to turn to, and how."""

    side: Side
    """Whose support it is: the platform's or the vendor's."""
    name: str
    email: str | None = None
    url: str | None = None
    hours: str | None = None
    documentation: str | None = None

    @classmethod
    def of(cls, contact: Contact) -> "ContactBody":
        return cls(side=contact.side, **contact.details.model_dump())


class StepBody(BaseModel):
    """A step for workflow editors, with who stands behind it."""

    extension: str
    extension_name: str
    id: str
    kind: Literal["event", "task"]
    name: str
    description: str
    confirmed: bool
    """Whether anybody has confirmed that there is such a step; shown where it is not."""
    note: str | None = None
    by_line: str
    party: Party
    label: Label | None = None
    support: ContactBody

    @classmethod
    def of(cls, card: Card, step: Step) -> "StepBody":
        return cls(
            extension=card.slug,
            extension_name=card.name,
            id=step.id,
            kind=step.kind,
            name=step.name,
            description=step.description,
            confirmed=step.confirmed,
            note=step.note,
            by_line=by_line(card.by),
            party=card.party,
            label=label(is_preview=card.is_preview),
            support=ContactBody.of(card.support),
        )


def by_line(by: str) -> str:
    return f"By {by}"


def label(*, is_preview: bool) -> Label | None:
    return "Preview" if is_preview else None
