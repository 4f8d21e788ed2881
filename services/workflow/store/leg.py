"""A rollout's legs as they are now, and the evidence of those that are done."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from keyturn_contracts.message import Key
from keyturn_contracts.proof import SignedCommand, read_value
from keyturn_contracts.workflow import ConfirmRotation, EngineKind
from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.account import Account
from services.workflow.rules.engine import Retirement
from services.workflow.rules.holding import NOTHING, Holding
from services.workflow.rules.proof import Evidence
from services.workflow.rules.rollout import Leg
from services.workflow.store.account import key_of as account_key
from services.workflow.store.holding import STATE, HoldingKey, load_holdings, read_holding
from services.workflow.tables import AccountRow, ConfirmationRow, EngineRow, HoldingRow
from shared.database.rows import Rows

_RETIREMENT = TypeAdapter(Retirement)

_ACCOUNTS = Rows(AccountRow.brand_id, AccountRow.id)
_LOAD_ALLOWED = select(*STATE).where(
    HoldingRow.brand_id == _ACCOUNTS.c.brand_id,
    HoldingRow.account_id == _ACCOUNTS.c.id,
    HoldingRow.allowed_count > 0,
)
_ENGINES = Rows(EngineRow.brand_id, EngineRow.id)
_LOAD_ENGINES = select(
    EngineRow.brand_id, EngineRow.id, EngineRow.kind, EngineRow.retirement
).where(EngineRow.brand_id == _ENGINES.c.brand_id, EngineRow.id == _ENGINES.c.id)
_LOAD_REGISTRATIONS = select(EngineRow.brand_id, EngineRow.id, EngineRow.registration).where(
    EngineRow.brand_id == _ENGINES.c.brand_id, EngineRow.id == _ENGINES.c.id
)

_HOLDINGS = Rows(ConfirmationRow.brand_id, ConfirmationRow.engine_id, ConfirmationRow.account_id)
_LOAD_EVIDENCE = select(
    ConfirmationRow.brand_id,
    ConfirmationRow.engine_id,
    ConfirmationRow.account_id,
    ConfirmationRow.confirmation,
    ConfirmationRow.settlement,
).where(
    ConfirmationRow.brand_id == _HOLDINGS.c.brand_id,
    ConfirmationRow.engine_id == _HOLDINGS.c.engine_id,
    ConfirmationRow.account_id == _HOLDINGS.c.account_id,
)


async def load_legs(
    connection: AsyncConnection, accounts: Mapping[Key, Account]
) -> dict[Key, list[Leg]]:
    """Return each account's legs: who holds credentials of it, and who has an allowed binding.

    Under the account's lock that is certain; engines that were retired are among them, as such.
    """
    given = _ACCOUNTS.of((key.brand, key.id) for key in accounts)
    holdings = dict(map(read_holding, (await connection.execute(_LOAD_ALLOWED, given)).all()))
    holders = {
        HoldingKey(key.brand, engine_id, key.id)
        for key, account in accounts.items()
        for engine_id in account.holders
    }
    holdings |= await load_holdings(connection, holders)
    engines = await _load_engines(connection, {*holdings, *holders})
    legs: defaultdict[Key, list[Leg]] = defaultdict(list)
    for one in {*holdings, *holders}:
        key = account_key(one.brand, one.account_id)
        legs[key].append(_leg(one, holdings.get(one, NOTHING), accounts[key], engines.get(one[:2])))
    return legs


async def load_evidence(
    connection: AsyncConnection, wanted: Iterable[HoldingKey]
) -> dict[HoldingKey, Evidence]:
    """Return what engines said last, where they have confirmed anything."""
    found: dict[HoldingKey, Evidence] = {}
    for *key, confirmation, settlement in await connection.execute(
        _LOAD_EVIDENCE, _HOLDINGS.of(wanted)
    ):
        signed = _read(confirmation)
        said = None if signed is None else read_value(signed, ConfirmRotation)
        if signed is None or said is None:
            raise ValueError("The evidence of a confirmation on record cannot be read.")
        found[HoldingKey(*key)] = Evidence(
            confirmation=signed,
            settlement=_read(settlement),
            count=said.count,
            digest=said.digest,
        )
    return found


async def load_registrations(
    connection: AsyncConnection, engines: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], SignedCommand]:
    """Return how engines were registered, by brand and id."""
    rows = await connection.execute(_LOAD_REGISTRATIONS, _ENGINES.of(engines))
    return {(brand, id_): SignedCommand.model_validate_json(text) for brand, id_, text in rows}


async def _load_engines(
    connection: AsyncConnection, keys: Iterable[HoldingKey]
) -> dict[tuple[str, str], tuple[EngineKind, dict[str, Any] | None]]:
    ids = sorted({(one.brand, one.engine_id) for one in keys})
    rows = await connection.execute(_LOAD_ENGINES, _ENGINES.of(ids))
    return {(brand, id_): (kind, retirement) for brand, id_, kind, retirement in rows}


def _leg(
    key: HoldingKey,
    holding: Holding,
    account: Account,
    engine: tuple[EngineKind, dict[str, Any] | None] | None,
) -> Leg:
    is_leased = account.holders.get(key.engine_id) is not None
    kind, retirement = engine or ("leasing" if is_leased else "confirming", None)
    return Leg(
        engine_id=key.engine_id,
        kind=kind,
        is_holder=key.engine_id in account.holders,
        is_bound=holding.allowed_count > 0,
        holding=holding,
        retirement=None if retirement is None else _RETIREMENT.validate_python(retirement),
    )


def _read(command: str | None) -> SignedCommand | None:
    return None if command is None else SignedCommand.model_validate_json(command)
