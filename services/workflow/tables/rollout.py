"""How far each rotation has got, and the proofs."""

from datetime import datetime
from typing import Any

from keyturn_contracts.workflow import RolloutState
from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.workflow.tables.schema import IS_OPEN, Base, has_a_brand


class RolloutRow(Base):
    """One account's way to one version. Its legs are not here: they are counted anew each time."""

    __tablename__ = "rollout"
    __table_args__ = (
        has_a_brand(),
        Index(
            "rollout_look_at_idx",
            "look_at",
            postgresql_where=IS_OPEN,
        ),
        Index(
            "rollout_open_idx",
            "brand_id",
            "account_id",
            postgresql_where=IS_OPEN,
        ),
        Index("rollout_opened_at_idx", "brand_id", "opened_at"),
        {"postgresql_with": {"fillfactor": 70}},
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    account_epoch: Mapped[int]
    state: Mapped[RolloutState] = mapped_column(Text)
    opened_at: Mapped[datetime]
    deadline: Mapped[datetime]
    look_at: Mapped[datetime]
    """When the closer looks at it: who may have changed a leg says now."""
    leases: Mapped[dict[str, Any]]
    excused: Mapped[dict[str, Any]]
    asked: Mapped[int]
    asked_at: Mapped[datetime]
    announced_at: Mapped[datetime]
    view: Mapped[dict[str, Any]]
    """What was announced last: legs, done, waiting, excused."""
    completed_at: Mapped[datetime | None]
    proof_sha256: Mapped[str | None]


class ProofRow(Base):
    """The proof of a completed rollout, as it was signed."""

    __tablename__ = "proof"
    __table_args__ = (has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    bundle: Mapped[bytes]
