"""Marks the accounts that news of access, or the end of a grant, concerns: to be judged again."""

from collections.abc import Iterable, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.workflow.store.access import note_ended
from services.workflow.store.concern import (
    Concern,
    forget_concerns,
    load_concerned,
    load_concerns,
    mark_to_judge,
)
from services.workflow.store.entitlement import lock_brands


async def mark_concerned(engine: AsyncEngine, most: int) -> int:
    """Mark accounts, and return how much news that was for.

    Which accounts a member's workflows use is certain once everybody is done who began to bind them
    before the news came: the brand's lock is taken for that, and given back before accounts are
    waited for. Who binds them later sees the news.
    """
    async with engine.begin() as connection:
        await note_ended(connection, most)
        concerns = await load_concerns(connection, most)
    for brand in _to_wait_for(concerns):
        async with engine.begin() as connection:
            await lock_brands(connection, [brand])
    if concerns:
        async with engine.begin() as connection:
            await mark(connection, concerns)
    return len(concerns)


async def mark(connection: AsyncConnection, concerns: Mapping[Concern, int]) -> None:
    """Mark accounts in the caller's transaction, once nobody binds by what was so before."""
    await forget_concerns(connection, concerns)
    await mark_to_judge(connection, await load_concerned(connection, concerns))


def _to_wait_for(concerns: Iterable[Concern]) -> list[str]:
    """Return brands of which something else is named than accounts: those are locked as such."""
    return sorted({one.brand for one in concerns if not one.account_id})
