"""What jobs are still to do, and how far they have got."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.workflow.tables.schema import IS_TO_COUNT, Base, has_a_brand


class ConcernRow(Base):
    """What news of access was about, until the accounts that it concerns are marked.

    What is empty stands for whichever: a member alone for all that their workflows use, a brand
    alone for all its accounts.
    """

    __tablename__ = "concern"
    __table_args__ = (has_a_brand(), {"postgresql_with": {"fillfactor": 50}})

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    times: Mapped[int]
    """How often: news that comes while accounts are being marked has them marked once more."""


class ClearanceRow(Base):
    """How far this service has got with an extension's uninstallation, the newest one."""

    __tablename__ = "clearance"
    __table_args__ = (has_a_brand(), CheckConstraint("tasks >= 0", name="tasks"))

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    uninstall_id: Mapped[str]
    tasks: Mapped[int]
    is_done: Mapped[bool]


class RecountRow(Base):
    """How often an engine's bindings changed, and up to where its extensions were counted."""

    __tablename__ = "recount"
    __table_args__ = (
        has_a_brand(),
        Index("recount_due_idx", "due_at", postgresql_where=IS_TO_COUNT),
        {"postgresql_with": {"fillfactor": 50}},
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    engine_id: Mapped[str] = mapped_column(primary_key=True)
    changes: Mapped[int]
    counted: Mapped[int]
    due_at: Mapped[datetime]
    """When it may be counted again, if there is anything new to count."""
