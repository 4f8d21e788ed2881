"""The schema that the workflow service's tables belong to. The brand leads every key."""

from sqlalchemy import CheckConstraint, MetaData, text
from sqlalchemy.orm import DeclarativeBase

from shared.database.tables import NAMING_CONVENTION, TYPES

UNKNOWN = "unknown"
"""The state of an account whose news has not come: a row to lock, and nothing else."""

IS_OPEN = text("rollout.state IN ('open', 'overdue')")
IS_UNINSTALLING = text("installation.state = 'uninstalling'")
IS_TO_COUNT = text("recount.changes > recount.counted")
IS_ENDING = text(
    "access_grant.state = 'granted' AND access_grant.until IS NOT NULL AND NOT access_grant.is_over"
)
IS_SUSPENDED = text("usage.reason IS NOT NULL")
"""The conditions of partial indexes, and of the queries that use them: in the same words, because
PostgreSQL proves nothing about a value that is a parameter."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = TYPES


def has_a_brand() -> CheckConstraint:
    return CheckConstraint("brand_id <> ''", name="brand")
