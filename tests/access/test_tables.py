"""The migrations make what the code expects."""

from sqlalchemy.ext.asyncio import AsyncEngine

from services.access.tables import Base
from shared.database.engines import create_engine
from shared.database.migrate import differences, upgrade
from shared.messaging.tables import Base as MessagingBase
from tests.running_stack import RunningStack


async def test_the_migrations_make_what_the_tables_say(stack: RunningStack) -> None:
    database = stack.new_database("access")
    await upgrade(database, "access")
    await upgrade(database, "access")

    engine: AsyncEngine = create_engine(database, "owner")
    async with engine.connect() as connection:
        assert await differences(connection, Base.metadata, MessagingBase.metadata) == []
    await engine.dispose()
