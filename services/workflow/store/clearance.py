"""How far uninstallations have got here, and what remains of their extensions."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from sqlalchemy import (
    ColumnElement,
    Integer,
    bindparam,
    exists,
    false,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.clearance import Clearance, Remains
from services.workflow.store.entitlement import BrandExtension
from services.workflow.tables import (
    IS_OPEN,
    IS_UNINSTALLING,
    UNKNOWN,
    AccountRow,
    ClearanceRow,
    EngineRow,
    HoldingRow,
    InstallationRow,
    RolloutRow,
)
from shared.database.rows import Rows

_TO_CLEAR = (
    select(InstallationRow.brand_id, InstallationRow.extension, InstallationRow.uninstall_id)
    .join(
        ClearanceRow,
        (ClearanceRow.brand_id == InstallationRow.brand_id)
        & (ClearanceRow.extension == InstallationRow.extension)
        & (ClearanceRow.uninstall_id == InstallationRow.uninstall_id),
        isouter=True,
    )
    .where(
        IS_UNINSTALLING,
        InstallationRow.uninstall_id.is_not(None),
        # Until then accounts of it may still be used.
        InstallationRow.is_to_follow.is_(False),
        ClearanceRow.is_done.is_not(True),
    )
    .order_by(InstallationRow.brand_id, InstallationRow.extension)
    .limit(bindparam("most", type_=Integer))
)
_ROWS = Rows(
    ClearanceRow.brand_id,
    ClearanceRow.extension,
    ClearanceRow.uninstall_id,
    ClearanceRow.tasks,
    ClearanceRow.is_done,
)
_INSERT = _ROWS.insert_into(ClearanceRow)
_BEGIN = _INSERT.on_conflict_do_update(
    index_elements=[ClearanceRow.brand_id, ClearanceRow.extension],
    set_={
        one: _INSERT.excluded[one.key]
        for one in (ClearanceRow.uninstall_id, ClearanceRow.tasks, ClearanceRow.is_done)
    },
    where=ClearanceRow.uninstall_id != _INSERT.excluded.uninstall_id,
)
_SAVE = _ROWS.upsert_into(ClearanceRow)
_KEYS = Rows(ClearanceRow.brand_id, ClearanceRow.extension)
_LOCK = (
    select(
        ClearanceRow.brand_id,
        ClearanceRow.extension,
        ClearanceRow.uninstall_id,
        ClearanceRow.tasks,
    )
    .where(
        ClearanceRow.brand_id == _KEYS.c.brand_id,
        ClearanceRow.extension == _KEYS.c.extension,
        ClearanceRow.is_done.is_(False),
    )
    .order_by(ClearanceRow.brand_id, ClearanceRow.extension)
    .with_for_update(key_share=True, skip_locked=True, of=ClearanceRow)
)

_OPEN_ROLLOUT = exists().where(
    RolloutRow.brand_id == AccountRow.brand_id, RolloutRow.account_id == AccountRow.id, IS_OPEN
)
_DELETED_BEFORE = exists().where(
    AccountRow.state == "deleted",
    RolloutRow.brand_id == AccountRow.brand_id,
    RolloutRow.account_id == AccountRow.id,
    RolloutRow.version == AccountRow.version,
    RolloutRow.completed_at < InstallationRow.uninstalled_at,
)
_CLOCKS = timedelta(minutes=1)
"""By how much the database's clock may differ from the broker's, which says when it was begun."""
_DELETED_SINCE = (AccountRow.state == "deleted") & ~exists().where(
    RolloutRow.brand_id == AccountRow.brand_id,
    RolloutRow.account_id == AccountRow.id,
    RolloutRow.version == AccountRow.version,
    RolloutRow.opened_at < InstallationRow.uninstalled_at - _CLOCKS,
)
_HELD = (
    select(
        func.sum(HoldingRow.count).label("tasks"),
        func.bool_or(HoldingRow.allowed_count > 0).label("is_allowed"),
    )
    .join(
        EngineRow,
        (EngineRow.brand_id == HoldingRow.brand_id) & (EngineRow.id == HoldingRow.engine_id),
    )
    .where(
        HoldingRow.brand_id == AccountRow.brand_id,
        HoldingRow.account_id == AccountRow.id,
        EngineRow.state == "registered",
    )
    .lateral("held")
)


def _any(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return func.coalesce(func.bool_or(condition), false())


_REMAINS = (
    select(
        InstallationRow.brand_id,
        InstallationRow.extension,
        func.coalesce(func.sum(_HELD.c.tasks).filter(~_DELETED_BEFORE), 0).label("tasks"),
        # Those that the vault deleted for it are among these: fewer are not all of them.
        func.coalesce(
            func.count().filter(_DELETED_SINCE) >= InstallationRow.deleted_for_it, false()
        ).label("is_known"),
        (~_any(AccountRow.is_to_judge.is_(True))).label("is_judged"),
        _any(_HELD.c.is_allowed).label("is_allowed"),
        _any(AccountRow.state != "deleted").label("is_alive"),
        _any(or_(AccountRow.is_to_open, _OPEN_ROLLOUT)).label("is_rolling_out"),
    )
    .join(
        _KEYS.table,
        (InstallationRow.brand_id == _KEYS.c.brand_id)
        & (InstallationRow.extension == _KEYS.c.extension),
    )
    .join(
        AccountRow,
        (AccountRow.brand_id == InstallationRow.brand_id)
        & (AccountRow.extension == InstallationRow.extension)
        & (AccountRow.state != UNKNOWN),
        isouter=True,
    )
    .join(_HELD, true(), isouter=True)
    .group_by(InstallationRow.brand_id, InstallationRow.extension)
)


async def lock_clearances(
    connection: AsyncConnection, most: int
) -> dict[BrandExtension, Clearance]:
    """Return uninstallations that are not done, new ones too, held; not those of another worker.

    Of an extension that is uninstalled once more the count begins anew.
    """
    due = (await connection.execute(_TO_CLEAR, {"most": most})).all()
    if not due:
        return {}
    await connection.execute(_BEGIN, _ROWS.of((*one, 0, False) for one in due))
    wanted = {(brand, extension): uninstall_id for brand, extension, uninstall_id in due}
    return {
        (brand, extension): Clearance(uninstall_id=uninstall_id, tasks=tasks)
        for brand, extension, uninstall_id, tasks in await connection.execute(
            _LOCK, _KEYS.of(wanted)
        )
        if wanted[brand, extension] == uninstall_id
    }


async def load_remains(
    connection: AsyncConnection, extensions: Iterable[BrandExtension]
) -> dict[BrandExtension, Remains]:
    """Return what there is of each at one moment: one statement sees it all."""
    rows = await connection.execute(_REMAINS, _KEYS.of(sorted(extensions)))
    return {
        (one.brand_id, one.extension): Remains(
            tasks=int(one.tasks),
            is_known=one.is_known,
            is_judged=one.is_judged,
            is_allowed=one.is_allowed,
            is_alive=one.is_alive,
            is_rolling_out=one.is_rolling_out,
        )
        for one in rows
    }


async def save_clearances(
    connection: AsyncConnection, changed: Mapping[BrandExtension, Clearance]
) -> None:
    rows = (
        (*key, one.uninstall_id, one.tasks, one.is_done) for key, one in sorted(changed.items())
    )
    await connection.execute(_SAVE, _ROWS.of(rows))
