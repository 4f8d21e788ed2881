"""With every consent and every change of domains, by which lists of shared names it was judged."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Of what was decided before it was not recorded, and nobody can say it afterwards.
    for table in ("consent", "domain_change"):
        op.add_column(table, sa.Column("suffix_list", sa.Text(), nullable=True))
