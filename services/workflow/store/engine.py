"""Engines and their logs: the aggregate that an engine's commands are decided on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keyturn_contracts.actor import engine_issuer
from keyturn_contracts.keys import SigningKey
from keyturn_contracts.message import Key
from keyturn_contracts.proof import SignedCommand
from keyturn_contracts.workflow import AboutEngine, ConfirmRotation, ExtensionUse, RetireEngine
from pydantic import TypeAdapter
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.engine import (
    Engine,
    EngineLog,
    ListInProgress,
    Retirement,
    registered_as,
)
from services.workflow.rules.holding import Holding
from services.workflow.store.account import key_of as account_key
from services.workflow.store.account import share_accounts, wake_rollouts
from services.workflow.store.holding import (
    HoldingKey,
    from_bytes,
    load_holdings,
    load_holdings_of,
    load_receipts,
    save_confirmations,
    save_holdings,
    to_bytes,
)
from services.workflow.tables import EngineRow
from shared.database.rows import Rows
from shared.messaging.envelope import AskedByKey

_LIST = TypeAdapter(ListInProgress)
_RETIREMENT = TypeAdapter(Retirement)

_LOG = (
    EngineRow.state,
    EngineRow.epoch,
    EngineRow.number,
    EngineRow.list,
    EngineRow.count,
    EngineRow.digest,
    EngineRow.uses,
    EngineRow.retirement,
)
STATE = (EngineRow.brand_id, EngineRow.id, EngineRow.kind, EngineRow.registration, *_LOG)
_KEYS = Rows(EngineRow.brand_id, EngineRow.id)
_LOAD = select(*STATE).where(EngineRow.brand_id == _KEYS.c.brand_id, EngineRow.id == _KEYS.c.id)
_LOCK = _LOAD.order_by(EngineRow.brand_id, EngineRow.id).with_for_update(
    key_share=True, of=EngineRow
)
_NEW = Rows(*STATE)
_INSERT = _NEW.insert_into(EngineRow)
_CHANGED = Rows(EngineRow.brand_id, EngineRow.id, *_LOG)
_UPDATE = (
    update(EngineRow)
    .where(EngineRow.brand_id == _CHANGED.c.brand_id, EngineRow.id == _CHANGED.c.id)
    .values({one: _CHANGED.c[one.key] for one in _LOG})
)


def key_of(brand: str, engine_id: str) -> Key:
    return Key(brand, AboutEngine.kind, engine_id)


async def lock_engines(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, Engine]:
    """Return those that exist, held until the transaction ends; locked in the order of keys."""
    rows = await connection.execute(_LOCK, _KEYS.of((one.brand, one.id) for one in sorted(keys)))
    return dict(map(read_engine, rows))


async def lock_logs(connection: AsyncConnection, asked: AskedByKey) -> dict[Key, EngineLog]:
    """Return the logs of registered engines, with the holdings that the commands name.

    The accounts are held too, after the engines: no rollout of theirs closes meanwhile.
    """
    engines = await lock_engines(connection, asked)
    retiring: set[tuple[str, str]] = set()
    wanted: set[tuple[HoldingKey, int]] = set()
    for key in engines:
        for one in asked[key]:
            if isinstance(one.command, RetireEngine):
                retiring.add((key.brand, key.id))
            elif isinstance(one.command, ConfirmRotation):
                named = HoldingKey(key.brand, key.id, one.command.account_id)
                wanted.add((named, one.command.version))
    keys = {key for key, _ in wanted}
    if retiring:
        keys |= (await load_holdings_of(connection, retiring)).keys()
    known = await share_accounts(
        connection, {account_key(one.brand, one.account_id) for one in keys}
    )
    # Statements of their own: their snapshots are younger than whatever the lock waited for.
    holdings: defaultdict[Key, dict[str, Holding]] = defaultdict(dict)
    for one, holding in (await load_holdings(connection, keys)).items() if keys else ():
        holdings[key_of(one.brand, one.engine_id)][one.account_id] = holding
    receipts: defaultdict[Key, dict[tuple[str, int], str]] = defaultdict(dict)
    for (one, version), receipt in (await load_receipts(connection, wanted)).items():
        receipts[key_of(one.brand, one.engine_id)][one.account_id, version] = receipt
    accounts: defaultdict[str, set[str]] = defaultdict(set)
    for one in known:
        accounts[one.brand].add(one.id)
    return {
        key: EngineLog(
            engine=engine,
            holdings=holdings[key],
            known_accounts=frozenset(accounts[key.brand]),
            receipts=receipts[key],
        )
        for key, engine in engines.items()
    }


async def save_logs(connection: AsyncConnection, changed: Mapping[Key, EngineLog]) -> None:
    """Save engines with what their commands changed, and have the closer look where it matters."""
    if new := {key: log.engine for key, log in changed.items() if log.is_new}:
        rows = (_row_of(key, engine) for key, engine in sorted(new.items()))
        await connection.execute(_INSERT, _NEW.of(rows))
    await save_engines(
        connection, {key: log.engine for key, log in changed.items() if not log.is_new}
    )
    holdings = {
        HoldingKey(key.brand, key.id, account_id): log.holdings[account_id]
        for key, log in changed.items()
        for account_id in log.changed
    }
    if not holdings:
        return
    await save_holdings(connection, holdings)
    confirmed = {
        HoldingKey(key.brand, key.id, account_id): one
        for key, log in changed.items()
        for account_id, one in log.confirmed.items()
    }
    if confirmed:
        await save_confirmations(connection, confirmed)
    await wake_rollouts(connection, (account_key(one.brand, one.account_id) for one in holdings))


async def save_engines(connection: AsyncConnection, changed: Mapping[Key, Engine]) -> None:
    """Save where the logs of engines stand that are locked."""
    if changed:
        rows = ((key.brand, key.id, *_log_of(one)) for key, one in sorted(changed.items()))
        await connection.execute(_UPDATE, _CHANGED.of(rows))


async def load_engines(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, Engine]:
    rows = await connection.execute(_LOAD, _KEYS.of((one.brand, one.id) for one in sorted(keys)))
    return dict(map(read_engine, rows))


async def load_engine_keys(
    connection: AsyncConnection, engines: Sequence[tuple[str, str]]
) -> dict[str, dict[str, SigningKey]]:
    """Return the signing keys of engines, by their issuers' names and by thumbprint.

    Those of retired ones too: their commands are refused as such instead of being unreadable.
    """
    found = await load_engines(connection, (key_of(*one) for one in engines))
    keys: dict[str, dict[str, SigningKey]] = {}
    for key, engine in found.items():
        signing = registered_as(engine).sig.to_key()
        keys[engine_issuer(key.brand, key.id)] = {signing.thumbprint(): signing}
    return keys


def read_engine(row: Sequence[Any]) -> tuple[Key, Engine]:
    """Read what `STATE` selects."""
    brand, engine_id, kind, registration, state, epoch, number, *rest = row
    progress, count, digest, uses, retirement = rest
    return key_of(brand, engine_id), Engine(
        id=engine_id,
        kind=kind,
        state=state,
        epoch=epoch,
        number=number,
        list=None if progress is None else _LIST.validate_python(progress),
        count=count,
        digest=from_bytes(digest),
        uses=tuple(ExtensionUse(extension=slug, **counts) for slug, counts in sorted(uses.items())),
        registration=SignedCommand.model_validate_json(registration),
        retirement=None if retirement is None else _RETIREMENT.validate_python(retirement),
    )


def _row_of(key: Key, engine: Engine) -> tuple[object, ...]:
    return (
        key.brand,
        key.id,
        engine.kind,
        engine.registration.to_json().decode(),
        *_log_of(engine),
    )


def _log_of(engine: Engine) -> tuple[object, ...]:
    progress, retirement = engine.list, engine.retirement
    return (
        engine.state,
        engine.epoch,
        engine.number,
        None if progress is None else _LIST.dump_python(progress, mode="json"),
        engine.count,
        to_bytes(engine.digest),
        {one.extension: one.model_dump(exclude={"extension"}) for one in engine.uses},
        None
        if retirement is None
        else _RETIREMENT.dump_python(retirement, mode="json", exclude_none=True),
    )
