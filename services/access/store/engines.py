"""What the workflow service announced of engines: the keys that they sign their tokens with."""

from collections.abc import Sequence

from keyturn_contracts.actor import engine_issuer
from keyturn_contracts.keys import InvalidKeyError, PublicJwk
from keyturn_contracts.workflow import EngineChanged
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.tables import EngineRow
from shared.database.rows import Rows
from shared.messaging.context import KeysByIssuer
from shared.messaging.envelope import News, newest_of_each_key

_ENGINES = Rows(
    EngineRow.brand_id,
    EngineRow.id,
    EngineRow.sig,
    EngineRow.is_retired,
    EngineRow.epoch,
    EngineRow.sequence,
)
_SAVE = _ENGINES.upsert_into(EngineRow, newest_by=[EngineRow.epoch, EngineRow.sequence])
_IDS = Rows(EngineRow.brand_id, EngineRow.id)
_LOAD = select(EngineRow.brand_id, EngineRow.id, EngineRow.sig).where(
    EngineRow.brand_id == _IDS.c.brand_id, EngineRow.id == _IDS.c.id, ~EngineRow.is_retired
)


async def save_engines(connection: AsyncConnection, news: Sequence[News[EngineChanged]]) -> None:
    rows = (
        (
            one.brand,
            one.event.engine_id,
            one.event.sig.model_dump(mode="json", exclude_none=True),
            one.event.state == "retired",
            one.epoch,
            one.sequence,
        )
        for one in newest_of_each_key(news)
    )
    await connection.execute(_SAVE, _ENGINES.of(rows))


async def load_engine_keys(
    connection: AsyncConnection, engines: Sequence[tuple[str, str]]
) -> KeysByIssuer:
    """Return the keys of engines, given as pairs of brand and id; who was retired has none."""
    keys: KeysByIssuer = {}
    for brand, engine_id, sig in await connection.execute(_LOAD, _IDS.of(sorted(set(engines)))):
        try:
            key = PublicJwk.model_validate(sig).to_key()
        except InvalidKeyError:
            continue
        keys[engine_issuer(brand, engine_id)] = {key.thumbprint(): key}
    return keys
