"""Giving one account to very many members at once, and taking it away from all of them."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import perf_counter

from keyturn_client import Backend, Replica
from keyturn_contracts.access import MAX_NAMED, GrantAccess, RevokeAccess
from keyturn_contracts.message import Command

from deploy.bench.access.asking import connected
from deploy.bench.access.data import BRAND, OWNER, Data, Question
from deploy.bench.access.in_process import WrongAnswerError
from deploy.bench.access.over_http import PATH, decode, encode, token_of
from deploy.bench.access.place import NAME, Place
from deploy.bench.access.telling import parts, send_all
from shared.cli.output import say
from shared.database.engines import connect_alone

# The service applies what comes at once in transactions of at most 25,000 values, which four of
# these commands have: with as many again on their way it never waits for us.
_AT_ONCE = 8
_LOOK_SECONDS = 0.01
_LONGEST_SECONDS = 600.0
_TABLE = "bench_grant"
_CREATE = f"""
    DROP TABLE IF EXISTS {_TABLE};
    CREATE TABLE {_TABLE} (LIKE access_grant INCLUDING ALL);
"""
# As many columns and indexes as the service's own table, and nothing else of what that does.
_INSERT = f"""
    INSERT INTO {_TABLE} (brand_id, account_id, member, level, state, how, by, since)
    SELECT $1, $2, member, 'user', 'granted', 'granted', $3, $4 FROM unnest($5::text[]) AS member
"""  # noqa: S608  our own words
_UPDATE = f"""
    UPDATE {_TABLE} SET state = 'ended', why_ended = 'revoked', by = $3, since = $4
     WHERE brand_id = $1 AND account_id = $2 AND member = ANY($5::text[])
"""  # noqa: S608  our own words

Taken = dict[str, list[float]]
"""Seconds, for each repeat."""


async def measure(
    place: Place,
    backend: Backend,
    replica: Replica,
    data: Data,
    *,
    repeats: int,
    granted: Callable[[], None],
) -> Taken:
    """Grant and revoke in turns; each is seen in the replica and then at all processes.

    `granted` is called once, in another thread, when the first grant is everywhere.
    `grant`: until the last outcome is told. `grant_in_replica`: until the replica says so of all.
    """
    taken: Taken = {}
    account_id, crowd = data.crowded, data.crowd
    for repeat in range(repeats):
        for what, kind in (("grant", GrantAccess), ("revoke", RevokeAccess)):
            commands = [kind(account_id=account_id, members=some) for some in parts(crowd)]
            began = perf_counter()
            (revision, told), heard = await asyncio.gather(
                _told(backend, commands),
                _heard(replica, account_id, crowd, allowed=kind is GrantAccess),
            )
            taken.setdefault(what, []).append(told - began)
            taken.setdefault(f"{what}_in_replica", []).append(heard - began)
            await _check(place, account_id, crowd, allowed=kind is GrantAccess, at_least=revision)
            if what == "grant" and repeat == 0:
                await asyncio.to_thread(granted)
            say(f"{what} of {len(crowd):,}, repeat {repeat + 1}: {told - began:.1f} s")
        for what, seconds in (await _by_bare_sql(place, account_id, crowd)).items():
            taken.setdefault(what, []).append(seconds)
    return taken


async def _told(backend: Backend, commands: Sequence[Command]) -> tuple[int, float]:
    return await send_all(backend, commands, at_once=_AT_ONCE), perf_counter()


async def _heard(
    replica: Replica, account_id: str, members: Sequence[str], *, allowed: bool
) -> float:
    """Wait until the replica says so of all of them, and return when that was."""
    began = perf_counter()
    left = list(members)
    while True:
        now = perf_counter()
        # The last first: as long as that is different there is little to look through.
        while left and replica.decide(left[-1], "use", account_id).allowed == allowed:
            left.pop()
        if not left:
            return now
        if now - began > _LONGEST_SECONDS:
            raise WrongAnswerError(f"The replica has not heard of {len(left)} of them.")
        await asyncio.sleep(_LOOK_SECONDS)


async def _check(
    place: Place, account_id: str, members: Sequence[str], *, allowed: bool, at_least: int
) -> None:
    """Ask all processes about all members, for answers as new as the last outcome."""
    for service in place.services:
        async with connected(service.port, connections=1, token=token_of(place)) as server:
            for some in parts(members, MAX_NAMED):
                asked: list[Question] = [(member, "use", account_id) for member in some]
                answer = await server.post(PATH, encode(asked, at_least=at_least))
                wrong = sum(one.allowed != allowed for one in decode(answer))
                if wrong:
                    raise WrongAnswerError(f"{service.settings.stem} is wrong about {wrong}.")


async def _by_bare_sql(place: Place, account_id: str, members: Sequence[str]) -> dict[str, float]:
    """Write the same rows in as many transactions: what the database alone takes for them."""
    database = place.plan.settings_of(NAME).database
    session = await connect_alone(database, "owner", name="bench")
    try:
        await session.execute(_CREATE)
        found: dict[str, float] = {}
        for what, statement in (("grant_bare_sql", _INSERT), ("revoke_bare_sql", _UPDATE)):
            began = perf_counter()
            for some in parts(members):
                now = datetime.now(UTC)
                await session.fetch(statement, BRAND, account_id, OWNER, now, list(some))
            found[what] = perf_counter() - began
        return found
    finally:
        await session.execute(f"DROP TABLE IF EXISTS {_TABLE}")
        await session.close()
