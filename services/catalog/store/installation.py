"""What brands have installed, as the installation service announced it; the newest wins."""

from collections.abc import Sequence

from keyturn_contracts.installation import InstallationChanged
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.tables import InstallationRow
from shared.database.rows import Rows
from shared.messaging.envelope import News, newest_of_each_key

_THERE = {"installed", "suspended"}
_INSTALLATIONS = Rows(
    InstallationRow.brand_id,
    InstallationRow.extension,
    InstallationRow.is_there,
    InstallationRow.epoch,
    InstallationRow.sequence,
)
_SAVE_INSTALLATIONS = _INSTALLATIONS.upsert_into(
    InstallationRow, newest_by=[InstallationRow.epoch, InstallationRow.sequence]
)


async def save_installations(
    connection: AsyncConnection, news: Sequence[News[InstallationChanged]]
) -> None:
    rows = (
        (one.brand, one.event.extension, one.event.state in _THERE, one.epoch, one.sequence)
        for one in newest_of_each_key(news)
    )
    await connection.execute(_SAVE_INSTALLATIONS, _INSTALLATIONS.of(rows))
