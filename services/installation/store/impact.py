"""What an uninstallation touches now: read for who looks at it, and again for its command."""

from collections import defaultdict
from collections.abc import Iterable

from keyturn_contracts.message import Key
from sqlalchemy import BigInteger, Integer, Text, cast, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from services.installation.rules.impact import NAMED, Impact, TouchedAccount, TouchedEngine
from services.installation.store.keys import key_of
from services.installation.tables import AccountRow, EngineRow, InstallationRow
from shared.database.rows import Rows

_KEYS = Rows(InstallationRow.brand_id, InstallationRow.extension)
_OF_KEYS = (
    AccountRow.brand_id == _KEYS.c.brand_id,
    AccountRow.extension == _KEYS.c.extension,
    ~AccountRow.is_deleted,
)
_PAIR = (AccountRow.brand_id, AccountRow.extension)
# JSON parts what may hold any character.
_LINE = func.concat(
    cast(func.jsonb_build_array(AccountRow.id, AccountRow.name, AccountRow.creator), Text), "\n"
)
_LINES = func.string_agg(_LINE, aggregate_order_by(literal(""), AccountRow.id.collate("C")))
_ACCOUNTS_DIGEST = func.encode(func.sha256(func.convert_to(_LINES, "UTF8")), "hex")
_TOTALS = (
    select(
        *_PAIR,
        func.count().label("accounts"),
        func.count(AccountRow.creator.distinct()).label("users"),
        _ACCOUNTS_DIGEST.label("digest"),
    )
    .where(*_OF_KEYS)
    .group_by(*_PAIR)
)
_NUMBERED = (
    select(
        *_PAIR,
        AccountRow.id,
        AccountRow.name,
        AccountRow.creator,
        func.row_number().over(partition_by=_PAIR, order_by=AccountRow.id).label("number"),
    )
    .where(*_OF_KEYS)
    .subquery("numbered")
)
_FIRST_ACCOUNTS = (
    select(*(one for one in _NUMBERED.c if one.key != "number"))
    .where(_NUMBERED.c.number <= NAMED)
    .order_by(_NUMBERED.c.brand_id, _NUMBERED.c.extension, _NUMBERED.c.id)
)
_CREATORS = select(*_PAIR, AccountRow.creator).where(*_OF_KEYS).distinct().subquery("creators")
_NUMBERED_USERS = select(
    *_CREATORS.c,
    func.row_number()
    .over(partition_by=(_CREATORS.c.brand_id, _CREATORS.c.extension), order_by=_CREATORS.c.creator)
    .label("number"),
).subquery("numbered_users")
_FIRST_USERS = (
    select(_NUMBERED_USERS.c.brand_id, _NUMBERED_USERS.c.extension, _NUMBERED_USERS.c.creator)
    .where(_NUMBERED_USERS.c.number <= NAMED)
    .order_by(_NUMBERED_USERS.c.brand_id, _NUMBERED_USERS.c.extension, _NUMBERED_USERS.c.creator)
)
_USES = EngineRow.uses.expression.op("->")(_KEYS.c.extension)
_ENGINES = (
    select(
        EngineRow.brand_id,
        _KEYS.c.extension,
        EngineRow.id,
        EngineRow.name,
        cast(_USES.op("->>")(cast(0, Integer)), BigInteger).label("workflows"),
        cast(_USES.op("->>")(cast(1, Integer)), BigInteger).label("tasks"),
        _USES.op("->>")(cast(2, Integer)).label("fingerprint"),
    )
    .where(
        EngineRow.brand_id == _KEYS.c.brand_id,
        ~EngineRow.is_retired,
        EngineRow.uses.expression.op("?")(_KEYS.c.extension),
    )
    .order_by(EngineRow.brand_id, _KEYS.c.extension, EngineRow.id)
)


async def load_impacts(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, Impact]:
    """Return of each what its uninstallation would touch now, at other services."""
    wanted = sorted(set(keys))
    rows = _KEYS.of((key.brand, key.id) for key in wanted)
    totals = {
        key_of(one.brand_id, one.extension): {
            "account_count": one.accounts,
            "user_count": one.users,
            "accounts_digest": one.digest,
        }
        for one in await connection.execute(_TOTALS, rows)
    }
    accounts: defaultdict[Key, list[TouchedAccount]] = defaultdict(list)
    for one in await connection.execute(_FIRST_ACCOUNTS, rows):
        touched = TouchedAccount(account_id=one.id, name=one.name, creator=one.creator)
        accounts[key_of(one.brand_id, one.extension)].append(touched)
    users: defaultdict[Key, list[str]] = defaultdict(list)
    for brand, slug, creator in await connection.execute(_FIRST_USERS, rows):
        users[key_of(brand, slug)].append(creator)
    engines: defaultdict[Key, list[TouchedEngine]] = defaultdict(list)
    for one in await connection.execute(_ENGINES, rows):
        engines[key_of(one.brand_id, one.extension)].append(
            TouchedEngine(
                engine_id=one.id,
                name=one.name,
                workflows=one.workflows,
                tasks=one.tasks,
                fingerprint=one.fingerprint or "",
            )
        )
    return {
        key: Impact(
            extension=key.id,
            users=tuple(users[key]),
            accounts=tuple(accounts[key]),
            engines=tuple(engines[key]),
            workflow_count=sum(one.workflows for one in engines[key]),
            task_count=sum(one.tasks for one in engines[key]),
            **totals.get(key, {}),
        )
        for key in wanted
    }
