"""Why each owner's tasks are suspended, as they were judged last."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("usage", sa.Column("reason", sa.Text(), nullable=True))
    op.create_index(
        "usage_suspended_idx",
        "usage",
        ["brand_id", "engine_id", "account_id", "owner"],
        postgresql_where=sa.text("reason IS NOT NULL"),
    )
    op.execute(
        "UPDATE usage u SET reason = 'account_unknown' FROM account a WHERE a.state = 'unknown' "
        "AND a.brand_id = u.brand_id AND a.id = u.account_id AND u.count > 0"
    )
    _suspend_all_where_some_are()


def _suspend_all_where_some_are() -> None:
    """Until the job has judged them anew, no task is told to run that must not.

    Which of a holding's tasks are suspended was not kept. An engine that reads too many of them
    hears of it once more when that is done: what was announced is made another thing for that.
    """
    op.execute(
        "UPDATE usage u SET reason = 'no_access' FROM holding h "
        "WHERE h.suspended <> decode(repeat('00', 32), 'hex') AND h.brand_id = u.brand_id "
        "AND h.engine_id = u.engine_id AND h.account_id = u.account_id "
        "AND u.count > 0 AND u.reason IS NULL"
    )
    op.execute(
        "UPDATE holding h SET announced_suspended = decode(repeat('ff', 32), 'hex') "
        "WHERE EXISTS (SELECT FROM usage u WHERE u.brand_id = h.brand_id "
        "AND u.engine_id = h.engine_id AND u.account_id = h.account_id AND u.reason = 'no_access')"
    )
    op.execute(
        "UPDATE account a SET is_to_judge = true WHERE EXISTS (SELECT FROM usage u "
        "WHERE u.brand_id = a.brand_id AND u.account_id = a.id AND u.reason = 'no_access')"
    )
