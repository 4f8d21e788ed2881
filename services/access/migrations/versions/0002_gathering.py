"""Until when a brand's list comes together; what has changed keeps no number of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# By the time a trigger runs its transaction has an id, and draws its numbers after that: of whoever
# has drawn one, everybody who looks later knows whether they are still at work. One is drawn for
# what is announced to nobody too: whoever saw it can ask to be answered as after it.
_NOTE_CHANGE = """
CREATE OR REPLACE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO change (brand_id, xid, at)
  SELECT brand_id, pg_current_xact_id()::text::bigint, clock_timestamp()
    FROM (SELECT DISTINCT brand_id FROM changed) AS brands
  ON CONFLICT (brand_id, xid) DO NOTHING;
  PERFORM nextval('outbox_id_seq');
  RETURN NULL;
END
$$
"""


def upgrade() -> None:
    # For a while 0001 made some of this: what is there already is left as it is.
    # The function comes before what is updated below, which it notes.
    op.drop_column("change", "revision", if_exists=True)
    op.execute(_NOTE_CHANGE)
    gathers_until = sa.Column("gathers_until", sa.DateTime(timezone=True), nullable=True)
    op.add_column("brand", gathers_until, if_not_exists=True)
    op.create_index(
        "brand_gathering_idx",
        "brand",
        ["gathers_until"],
        postgresql_where=sa.text("gathers_until IS NOT NULL"),
        if_not_exists=True,
    )
    # Of a list that has begun nobody knows when: it has its time from here on.
    op.execute(
        "UPDATE brand SET gathers_until = now() + interval '7 days'"
        " WHERE has_list AND gathers_until IS NULL"
    )
