"""What other services announced, as far as the vault needs it; of each key the newest wins."""

from collections.abc import Iterable, Sequence

from keyturn_contracts.actor import engine_issuer
from keyturn_contracts.catalog import ExtensionChanged
from keyturn_contracts.keys import InvalidKeyError
from keyturn_contracts.message import Key
from keyturn_contracts.workflow import EngineChanged, HoldingChanged, RolloutChanged
from sqlalchemy import Integer, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.credential_vault.rules.fetching import Engine
from services.credential_vault.rules.retirement import Completion
from services.credential_vault.store.keys import key_of_account
from services.credential_vault.tables import CompletionRow, EngineRow, ExtensionRow, HoldingRow
from shared.database.rows import Rows
from shared.messaging.context import KeysByIssuer
from shared.messaging.envelope import News, newest_of_each_key

_EXTENSIONS = Rows(
    ExtensionRow.slug,
    ExtensionRow.party,
    ExtensionRow.event,
    ExtensionRow.epoch,
    ExtensionRow.sequence,
)
_SAVE_EXTENSIONS = _EXTENSIONS.upsert_into(
    ExtensionRow, newest_by=[ExtensionRow.epoch, ExtensionRow.sequence]
)
_SLUGS = Rows(ExtensionRow.slug)
_LOAD_EXTENSIONS = select(ExtensionRow.slug, ExtensionRow.event).where(
    ExtensionRow.slug == _SLUGS.c.slug
)

_ENGINES = Rows(
    EngineRow.brand_id, EngineRow.id, EngineRow.event, EngineRow.epoch, EngineRow.sequence
)
_SAVE_ENGINES = _ENGINES.upsert_into(EngineRow, newest_by=[EngineRow.epoch, EngineRow.sequence])
_ENGINE_IDS = Rows(EngineRow.brand_id, EngineRow.id)
_LOAD_ENGINES = select(EngineRow.brand_id, EngineRow.id, EngineRow.event).where(
    EngineRow.brand_id == _ENGINE_IDS.c.brand_id, EngineRow.id == _ENGINE_IDS.c.id
)

_HOLDINGS = Rows(
    HoldingRow.brand_id,
    HoldingRow.engine_id,
    HoldingRow.account_id,
    HoldingRow.is_allowed,
    HoldingRow.epoch,
    HoldingRow.sequence,
)
_SAVE_HOLDINGS = _HOLDINGS.upsert_into(
    HoldingRow, newest_by=[HoldingRow.epoch, HoldingRow.sequence]
)
_HOLDING_IDS = Rows(HoldingRow.brand_id, HoldingRow.engine_id, HoldingRow.account_id)
_LOAD_ALLOWED = select(HoldingRow.account_id).where(
    HoldingRow.brand_id == _HOLDING_IDS.c.brand_id,
    HoldingRow.engine_id == _HOLDING_IDS.c.engine_id,
    HoldingRow.account_id == _HOLDING_IDS.c.account_id,
    HoldingRow.is_allowed,
)

_COMPLETIONS = Rows(
    CompletionRow.brand_id,
    CompletionRow.account_id,
    CompletionRow.account_epoch,
    CompletionRow.version,
    CompletionRow.is_planned,
)
_SAVE_COMPLETIONS = _COMPLETIONS.upsert_into(
    CompletionRow,
    newest_by=[CompletionRow.account_epoch, CompletionRow.version],
    also={CompletionRow.read_at: func.now()},
)
_TO_PLAN = (
    select(
        CompletionRow.brand_id,
        CompletionRow.account_id,
        CompletionRow.version,
        CompletionRow.account_epoch,
        CompletionRow.read_at,
    )
    .where(~CompletionRow.is_planned)
    .order_by(CompletionRow.brand_id, CompletionRow.account_id)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(key_share=True, skip_locked=True)
)
_ACCOUNTS = Rows(CompletionRow.brand_id, CompletionRow.account_id)
_PLANNED = (
    update(CompletionRow)
    .where(
        CompletionRow.brand_id == _ACCOUNTS.c.brand_id,
        CompletionRow.account_id == _ACCOUNTS.c.account_id,
    )
    .values(is_planned=True)
)


async def save_extensions(
    connection: AsyncConnection, news: Sequence[News[ExtensionChanged]]
) -> None:
    rows = (
        (
            one.event.subject_id,
            one.event.manifest.party,
            one.event.model_dump(mode="json"),
            one.epoch,
            one.sequence,
        )
        for one in newest_of_each_key(news)
    )
    await connection.execute(_SAVE_EXTENSIONS, _EXTENSIONS.of(rows))


async def load_extensions(
    connection: AsyncConnection, slugs: Iterable[str]
) -> dict[str, ExtensionChanged]:
    """Return what is known of these extensions; of the others nothing has been announced yet."""
    rows = await connection.execute(_LOAD_EXTENSIONS, _SLUGS.of((slug,) for slug in set(slugs)))
    return {slug: ExtensionChanged.model_validate(event) for slug, event in rows}


async def save_engines(connection: AsyncConnection, news: Sequence[News[EngineChanged]]) -> None:
    rows = (
        (
            one.brand,
            one.event.engine_id,
            one.event.model_dump(mode="json"),
            one.epoch,
            one.sequence,
        )
        for one in newest_of_each_key(news)
    )
    await connection.execute(_SAVE_ENGINES, _ENGINES.of(rows))


async def load_engine(
    connection: AsyncConnection, brand: str, engine_id: str
) -> tuple[Engine, EngineChanged] | None:
    """Return an engine, retired or not, and what was announced of it: its keys are in there."""
    rows = await connection.execute(_LOAD_ENGINES, _ENGINE_IDS.of([(brand, engine_id)]))
    row = rows.one_or_none()
    if row is None:
        return None
    told = EngineChanged.model_validate(row.event)
    engine = Engine(
        id=engine_id,
        kind=told.engine_kind,
        lease_seconds=told.lease_seconds,
        reach=told.reach,
        state=told.state,
    )
    return engine, told


async def load_engine_keys(
    connection: AsyncConnection, engines: Sequence[tuple[str, str]]
) -> KeysByIssuer:
    """Return the keys that engines sign with.

    A retired engine's too: its fetches are refused and on record, which needs to know whose they
    are. It may ask for nothing else here.
    """
    keys: KeysByIssuer = {}
    for brand, engine_id, event in await connection.execute(
        _LOAD_ENGINES, _ENGINE_IDS.of(sorted(set(engines)))
    ):
        try:
            key = EngineChanged.model_validate(event).sig.to_key()
        except InvalidKeyError:
            continue
        keys[engine_issuer(brand, engine_id)] = {key.thumbprint(): key}
    return keys


async def save_holdings(connection: AsyncConnection, news: Sequence[News[HoldingChanged]]) -> None:
    rows = (
        (
            one.brand,
            one.event.engine_id,
            one.event.account_id,
            one.event.bound and one.event.allowed,
            one.epoch,
            one.sequence,
        )
        for one in newest_of_each_key(news)
    )
    await connection.execute(_SAVE_HOLDINGS, _HOLDINGS.of(rows))


async def load_allowed(
    connection: AsyncConnection, brand: str, engine_id: str, account_ids: Iterable[str]
) -> set[str]:
    """Return those of the accounts for which the engine has an allowed binding."""
    rows = _HOLDING_IDS.of((brand, engine_id, one) for one in account_ids)
    return set((await connection.scalars(_LOAD_ALLOWED, rows)).all())


async def save_completions(
    connection: AsyncConnection, news: Sequence[News[RolloutChanged]]
) -> None:
    """Keep of each account the newest version whose rollout is completed, and when it was read."""
    newest: dict[tuple[str, str], tuple[int, int]] = {}
    for one in news:
        if one.event.state == "completed":
            about = (one.brand, one.event.account_id)
            place = (one.event.account_epoch, one.event.version)
            newest[about] = max(newest.get(about, place), place)
    rows = ((*about, *place, False) for about, place in sorted(newest.items()))
    await connection.execute(_SAVE_COMPLETIONS, _COMPLETIONS.of(rows))


async def lock_completions(connection: AsyncConnection, limit: int) -> dict[Key, Completion]:
    """Return completions that no retirement has been planned for yet, by account; lock them."""
    rows = await connection.execute(_TO_PLAN, {"limit": limit})
    return {
        key_of_account(brand, account_id): Completion(
            version=version, account_epoch=account_epoch, read_at=read_at
        )
        for brand, account_id, version, account_epoch, read_at in rows
    }


async def mark_planned(connection: AsyncConnection, accounts: Iterable[Key]) -> None:
    rows = _ACCOUNTS.of((one.brand, one.id) for one in sorted(accounts))
    await connection.execute(_PLANNED, rows)
