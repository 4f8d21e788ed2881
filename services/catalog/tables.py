"""The catalog's tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import NAMING_CONVENTION, SHARED, TYPES


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {**TYPES, list[str]: JSONB()}  # noqa: RUF012  as SQLAlchemy declares it


def _has_a_brand() -> CheckConstraint:
    return CheckConstraint("brand_id <> ''", name="brand")


class ExtensionRow(Base):
    """What the platform offers, to every brand alike: so no brand leads its key."""

    __tablename__ = "extension"
    __table_args__ = (
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("state IN ('published', 'retired')", name="state"),
        CheckConstraint("(retired_because IS NOT NULL) = (state = 'retired')", name="retired"),
        {"comment": SHARED},
    )

    slug: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    state: Mapped[str]
    is_certified: Mapped[bool]
    retired_because: Mapped[str | None]
    manifest: Mapped[dict[str, Any]]
    """As it holds now; `preview` is false once it is certified."""
    published_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(index=True)
    """Rises with every change of any extension, in the order of commits."""


class EditionRow(Base):
    """Every version of every manifest as it was published."""

    __tablename__ = "edition"
    __table_args__ = (CheckConstraint("version > 0", name="version"), {"comment": SHARED})

    slug: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    manifest: Mapped[dict[str, Any]]
    published_at: Mapped[datetime]
    published_by: Mapped[str | None]
    """Who asked for it; NULL where the catalog came with it."""


class PlanRow(Base):
    """A named set of extensions, as the configuration said at the last start."""

    __tablename__ = "plan"

    name: Mapped[str] = mapped_column(primary_key=True)
    extensions: Mapped[list[str]]


class LicenceRow(Base):
    """What a brand may see and use."""

    __tablename__ = "licence"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extensions: Mapped[list[str]]
    """Named one by one."""
    plans: Mapped[list[str]]
    covers: Mapped[list[str]]
    """Those named and those of the plans."""
    set_by: Mapped[str]
    set_at: Mapped[datetime]


class InstallationRow(Base):
    """What brands have installed, as the installation service said last."""

    __tablename__ = "installation"
    __table_args__ = (_has_a_brand(),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    extension: Mapped[str] = mapped_column(primary_key=True)
    is_there: Mapped[bool]
    """Installed, or suspended for want of a licence."""
    epoch: Mapped[int]
    sequence: Mapped[int]
