"""Which of an engine's tasks must not run now: for the engine itself."""

from typing import Annotated

from fastapi import APIRouter, Query
from keyturn_contracts.ids import Id
from keyturn_contracts.workflow import SuspendedTask, SuspendedTasks
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.queries import engine as engine_queries
from services.workflow.queries import suspended as queries
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

    They are as they were judged when `suspensions` came to these numbers, or after it: then they
    are higher by now, and an event follows. Of several pages those of the first count.
    """
    if caller.engine_id != engine_id:
        raise ApiError("not_allowed", "Only the engine itself reads what it must not run.")
    place = read_after(after, 3)
    async with brand_connection(context, caller) as connection:
        await _check_registered(connection, caller.brand, engine_id)
        # Before anything else: what is read after it is no older.
        suspensions = await queries.load_suspensions(connection, caller.brand, engine_id)
        rows = await queries.load_tasks(
            connection, caller.brand, engine_id, after=place, limit=limit + 1
        )
    tasks = tuple(
        SuspendedTask(
            workflow_id=one.workflow_id,
            task_id=one.task_id,
            account_id=one.account_id,
            reason=one.reason,
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
