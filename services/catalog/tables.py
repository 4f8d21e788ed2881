"""The catalog's tables."""

from typing import Any

from sqlalchemy import CheckConstraint, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import NAMING_CONVENTION, SHARED, TYPES


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = TYPES


class ExtensionRow(Base):
    """What the platform offers, to every brand alike: so no brand leads its key."""

    __tablename__ = "extension"
    __table_args__ = (CheckConstraint("version > 0", name="version"), {"comment": SHARED})

    slug: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    manifest: Mapped[dict[str, Any]]
