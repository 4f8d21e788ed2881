"""Which of an engine's tasks must not run now: for the engine itself."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from keyturn_contracts.ids import Id
from keyturn_contracts.message import Key
from keyturn_contracts.workflow import NotAllowed, SuspendedTask, SuspendedTasks
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.queries import engine as engine_queries
from services.workflow.queries import suspended as queries
from services.workflow.queries.suspended import Pair
from services.workflow.rules.access import why_suspended
from services.workflow.store.access import load_access
from services.workflow.store.account import key_of, load_accounts
from services.workflow.tables import EngineRow
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError
from shared.http.paging import After, read_after, write_cursor

router = APIRouter(prefix="/v1/engines")

Many = Annotated[int, Query(ge=1, le=5000)]


@router.get("/{engine_id}/suspended", response_model_exclude_none=True)
async def list_suspended(
    engine_id: Id, caller: Caller, context: HasContext, *, after: After = None, limit: Many = 1000
) -> SuspendedTasks:
    """List the tasks that the engine must not run, by workflow, and why; never how many it has.

    What is said is at least as new as `suspensions`, and may be newer: then an event follows.
    """
    if caller.engine_id != engine_id:
        raise ApiError("not_allowed", "Only the engine itself reads what it must not run.")
    place = read_after(after, 3)
    async with brand_connection(context, caller) as connection:
        await _check_registered(connection, caller.brand, engine_id)
        # Before anything else: what is read after it is no older.
        suspensions = await queries.load_suspensions(connection, caller.brand, engine_id)
        why = await _load_reasons(connection, caller.brand, engine_id)
        rows = await queries.load_tasks(
            connection, caller.brand, engine_id, why, after=place, limit=limit + 1
        )
    tasks = tuple(
        SuspendedTask(
            workflow_id=one.workflow_id,
            task_id=one.task_id,
            account_id=one.account_id,
            reason=why[one.account_id, one.owner],
        )
        for one in rows[:limit]
    )
    last = tasks[-1] if len(rows) > limit else None
    return SuspendedTasks(
        tasks=tasks,
        suspensions=dict(suspensions),
        next=write_cursor(last.workflow_id, last.account_id, last.task_id) if last else None,
    )


async def _check_registered(connection: AsyncConnection, brand: str, engine_id: str) -> None:
    row = await engine_queries.load_one(connection, brand, (EngineRow.state,), engine_id)
    if row is None or row.state == "retired":
        raise ApiError("not_allowed", "The engine was retired: nothing is answered to it.")


async def _load_reasons(
    connection: AsyncConnection, brand: str, engine_id: str
) -> Mapping[Pair, NotAllowed]:
    """Return why tasks are suspended, by account and owner; none of those that may run."""
    pairs = await queries.load_pairs(connection, brand, engine_id)
    keys = {account_id: key_of(brand, account_id) for account_id, _ in pairs}
    accounts = await load_accounts(connection, keys.values())
    wanted: set[tuple[Key, str]] = {(keys[account_id], owner) for account_id, owner in pairs}
    access = (await load_access(connection, [brand], accounts, wanted))[brand]
    judged: dict[Pair, NotAllowed | None] = {
        (account_id, owner): why_suspended(accounts.get(keys[account_id]), owner, access)
        for account_id, owner in pairs
    }
    return {pair: reason for pair, reason in judged.items() if reason is not None}
