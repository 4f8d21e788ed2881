"""Which engines' bindings have changed since they were counted, and what they use by now."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta

from keyturn_contracts.message import Key
from keyturn_contracts.workflow import ExtensionUse
from sqlalchemy import Integer, Interval, bindparam, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.store.engine import key_of
from services.workflow.tables import IS_TO_COUNT, UNKNOWN, AccountRow, BindingRow, RecountRow
from shared.database.rows import Rows

_ENGINES = Rows(RecountRow.brand_id, RecountRow.engine_id)
_MARK = (
    insert(RecountRow)
    .from_select(
        [
            RecountRow.brand_id,
            RecountRow.engine_id,
            RecountRow.changes,
            RecountRow.counted,
            RecountRow.due_at,
        ],
        select(
            _ENGINES.c.brand_id, _ENGINES.c.engine_id, literal(1), literal(0), func.now()
        ).order_by(_ENGINES.c.brand_id, _ENGINES.c.engine_id),
    )
    .on_conflict_do_update(
        index_elements=[RecountRow.brand_id, RecountRow.engine_id],
        set_={RecountRow.changes: RecountRow.changes + 1},
    )
)
_DUE = (
    select(RecountRow.brand_id, RecountRow.engine_id, RecountRow.changes)
    .where(IS_TO_COUNT, RecountRow.due_at <= func.now())
    .order_by(RecountRow.due_at, RecountRow.brand_id, RecountRow.engine_id)
    .limit(bindparam("most", type_=Integer))
)
_LINE = func.concat_ws("\n", BindingRow.workflow_id, BindingRow.task_id, BindingRow.account_id)
_COUNT = (
    select(
        BindingRow.brand_id,
        BindingRow.engine_id,
        AccountRow.extension,
        func.count(BindingRow.workflow_id.distinct()),
        func.count(),
        func.bit_xor(func.hashtextextended(_LINE, 0)),
    )
    .join(
        AccountRow,
        (AccountRow.brand_id == BindingRow.brand_id) & (AccountRow.id == BindingRow.account_id),
    )
    .where(
        BindingRow.brand_id == _ENGINES.c.brand_id,
        BindingRow.engine_id == _ENGINES.c.engine_id,
        BindingRow.is_vanished.is_(False),
        AccountRow.state.not_in((UNKNOWN, "deleted")),
    )
    .group_by(BindingRow.brand_id, BindingRow.engine_id, AccountRow.extension)
    .order_by(BindingRow.brand_id, BindingRow.engine_id, AccountRow.extension)
)
_COUNTED_ROWS = Rows(RecountRow.brand_id, RecountRow.engine_id, RecountRow.counted)
_COUNTED = (
    update(RecountRow)
    .where(
        RecountRow.brand_id == _COUNTED_ROWS.c.brand_id,
        RecountRow.engine_id == _COUNTED_ROWS.c.engine_id,
    )
    .values(counted=_COUNTED_ROWS.c.counted)
)
_TO_POSTPONE = (
    select(RecountRow.brand_id, RecountRow.engine_id)
    .where(RecountRow.brand_id == _ENGINES.c.brand_id, RecountRow.engine_id == _ENGINES.c.engine_id)
    .order_by(RecountRow.brand_id, RecountRow.engine_id)
    .with_for_update(key_share=True, of=RecountRow)
    .cte("to_postpone")
)
_POSTPONE = (
    update(RecountRow)
    .where(
        RecountRow.brand_id == _TO_POSTPONE.c.brand_id,
        RecountRow.engine_id == _TO_POSTPONE.c.engine_id,
    )
    .values(due_at=func.now() + bindparam("pause", type_=Interval()))
)


async def mark_changed(connection: AsyncConnection, engines: Iterable[Key]) -> None:
    """Have these engines counted once this transaction has committed.

    Held until then: what is counted meanwhile is counted once more.
    """
    if marked := sorted(set(engines)):
        await connection.execute(_MARK, _rows_of(marked))


async def load_to_count(connection: AsyncConnection, most: int) -> dict[Key, int]:
    """Return engines that have changed, with how often; those that waited longest first.

    Count in a later statement: it then sees every change that is among these.
    """
    rows = await connection.execute(_DUE, {"most": most})
    return {key_of(brand, engine_id): changes for brand, engine_id, changes in rows}


async def load_uses(
    connection: AsyncConnection, engines: Iterable[Key]
) -> dict[Key, tuple[ExtensionUse, ...]]:
    """Count what engines use by extension: tasks on record, of accounts that are not deleted."""
    uses: defaultdict[Key, list[ExtensionUse]] = defaultdict(list)
    for brand, engine_id, extension, workflows, tasks, mixed in await connection.execute(
        _COUNT, _rows_of(engines)
    ):
        use = ExtensionUse(
            extension=extension,
            workflows=workflows,
            tasks=tasks,
            fingerprint=f"{mixed % 2**64:016x}",
        )
        uses[key_of(brand, engine_id)].append(use)
    return {key: tuple(sorted(some, key=lambda one: one.extension)) for key, some in uses.items()}


async def save_counted(connection: AsyncConnection, counted: Mapping[Key, int]) -> None:
    """Remember up to which change these were counted. Held already, by `postpone`."""
    rows = ((key.brand, key.id, changes) for key, changes in sorted(counted.items()))
    await connection.execute(_COUNTED, _COUNTED_ROWS.of(rows))


async def postpone(connection: AsyncConnection, engines: Iterable[Key], pause: timedelta) -> None:
    """Hold these, after the engines, and leave them alone for a while, whatever changes."""
    await connection.execute(_POSTPONE, {**_rows_of(sorted(engines)), "pause": pause})


def _rows_of(engines: Iterable[Key]) -> dict[str, list[object]]:
    return _ENGINES.of((one.brand, one.id) for one in engines)
