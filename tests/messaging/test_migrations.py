"""What the migrations leave behind: the tables that the code expects, and who may see what."""

from asyncio import gather
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import MetaData, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.engines import create_engine
from shared.database.migrate import MESSAGING, differences, migrate, migrations_of, upgrade
from shared.database.tables import HIDDEN, NAMING_CONVENTION, SHARED, TYPES
from shared.messaging.tables import Base as MessagingBase
from shared.settings import DatabaseRole, DatabaseSettings
from tests.batches import Database, asked, deliver
from tests.messaging.log import Log
from tests.messaging.toy import Add, handlers
from tests.running_stack import RunningStack


class OddBase(DeclarativeBase):
    """Tables of each kind that a service may have."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = TYPES


class OfABrandRow(OddBase):
    __tablename__ = "of_a_brand"

    brand_id: Mapped[str] = mapped_column(primary_key=True)


class HiddenRow(OddBase):
    __tablename__ = "hidden"
    __table_args__ = ({"comment": HIDDEN},)

    brand_id: Mapped[str] = mapped_column(primary_key=True)


class SharedRow(OddBase):
    __tablename__ = "shared"
    __table_args__ = ({"comment": SHARED},)

    id: Mapped[str] = mapped_column(primary_key=True)


class OfNobodyRow(OddBase):
    __tablename__ = "of_nobody"

    id: Mapped[str] = mapped_column(primary_key=True)


@pytest.fixture
async def settings(stack: RunningStack) -> AsyncIterator[DatabaseSettings]:
    settings = stack.new_database("catalog")
    yield settings
    stack.drop_database(settings)


@pytest.fixture(scope="module")
def shared_settings(stack: RunningStack) -> Iterator[DatabaseSettings]:
    settings = stack.new_database("catalog")
    yield settings
    stack.drop_database(settings)


@pytest.fixture
async def odd(shared_settings: DatabaseSettings) -> DatabaseSettings:
    """Migrate one database for all tests that only look, with tables of each kind."""
    await migrate(shared_settings, [MESSAGING], OddBase.metadata)
    await ask(shared_settings, "writer", "DELETE FROM of_a_brand")
    return shared_settings


async def ask(
    settings: DatabaseSettings, role: DatabaseRole, statement: str, brand: str | None = None
) -> list[object]:
    """Return the first column of what this role gets, for this brand."""
    engine = create_engine(settings, role)
    try:
        async with engine.begin() as connection:
            if brand is not None:
                await connection.execute(
                    text("SELECT set_config('app.brand', :brand, true)"), {"brand": brand}
                )
            found = await connection.execute(text(statement))
            return [row[0] for row in found] if found.returns_rows else []
    finally:
        await engine.dispose()


async def test_the_migrations_and_the_tables_agree(settings: DatabaseSettings) -> None:
    await migrate(settings, [MESSAGING])

    engine = create_engine(settings, "owner")
    async with engine.connect() as connection:
        assert await differences(connection, MessagingBase.metadata) == []
    await engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE held DROP COLUMN cause",
        "ALTER TABLE held ALTER COLUMN cause TYPE varchar(7)",
        "ALTER TABLE held ALTER COLUMN cause DROP NOT NULL",
        "DROP INDEX inbox_open_idx",
        "DROP TABLE unreadable",
        "CREATE TABLE nobodys (id bigint)",
    ],
)
async def test_a_difference_is_found(odd: DatabaseSettings, statement: str) -> None:
    engine = create_engine(odd, "owner")
    async with engine.connect() as connection:
        everything = (MessagingBase.metadata, OddBase.metadata)
        assert await differences(connection, *everything) == []
        await connection.execute(text(statement))
        assert len(await differences(connection, *everything)) >= 1
    await engine.dispose()


async def test_several_processes_may_start_at_once(settings: DatabaseSettings) -> None:
    await gather(*[migrate(settings, [MESSAGING]) for _ in range(4)])

    assert await ask(settings, "writer", "SELECT number FROM epoch") == [1]


async def test_a_service_without_migrations_is_named(settings: DatabaseSettings) -> None:
    with pytest.raises(FileNotFoundError, match="The service nowhere has no migrations"):
        await upgrade(settings, "nowhere")
    assert migrations_of("credential-vault").versions.parts[-3] == "credential_vault"


async def test_the_writer_changes_rows_and_no_tables(odd: DatabaseSettings) -> None:
    await ask(odd, "writer", "INSERT INTO of_a_brand VALUES ('acme'), ('rival')")
    await ask(odd, "writer", "DELETE FROM of_a_brand WHERE brand_id = 'rival'")

    assert await ask(odd, "writer", "SELECT brand_id FROM of_a_brand") == ["acme"]
    for forbidden in (
        "DROP TABLE of_a_brand",
        "CREATE TABLE mine (id int)",
        "ALTER TABLE of_a_brand DISABLE ROW LEVEL SECURITY",
        "SELECT * FROM messaging_version",
    ):
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
            await ask(odd, "writer", forbidden)


async def test_a_reader_sees_its_own_brand_alone(odd: DatabaseSettings) -> None:
    await ask(odd, "writer", "INSERT INTO of_a_brand VALUES ('acme'), ('rival')")

    query = "SELECT brand_id FROM of_a_brand"
    assert await ask(odd, "reader", query, "acme") == ["acme"]
    assert await ask(odd, "reader", query, "acm") == []
    assert await ask(odd, "reader", query, "") == []
    assert await ask(odd, "reader", query) == []


async def test_a_brand_is_never_left_set_for_the_next_transaction(
    odd: DatabaseSettings,
) -> None:
    """An empty setting stays behind in the session: it must not be the brand of anything."""
    await ask(odd, "writer", "INSERT INTO of_a_brand VALUES ('acme'), ('')")

    engine = create_engine(odd, "reader", connections=1)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT set_config('app.brand', 'acme', true)"))
        await connection.commit()
        assert (await connection.scalars(text("SELECT brand_id FROM of_a_brand"))).all() == []
    await engine.dispose()


@pytest.mark.parametrize(
    ("table", "is_readable"),
    [
        ("shared", True),
        ("inbox", True),
        ("latest", True),
        ("of_nobody", False),
        ("hidden", False),
        ("held", False),
        ("outbox", False),
        ("position", False),
        ("unreadable", False),
        ("messaging_version", False),
    ],
)
async def test_what_a_reader_may_look_at(
    odd: DatabaseSettings, table: str, *, is_readable: bool
) -> None:
    query = f"SELECT count(*) FROM {table}"  # noqa: S608  our own names
    if is_readable:
        assert await ask(odd, "reader", query, "acme") == [0]
    else:
        with pytest.raises(DBAPIError, match="permission denied"):
            await ask(odd, "reader", query, "acme")


async def test_a_reader_changes_nothing(odd: DatabaseSettings) -> None:
    for statement in ("INSERT INTO of_a_brand VALUES ('acme')", "DELETE FROM latest"):
        with pytest.raises(DBAPIError, match="permission denied"):
            await ask(odd, "reader", statement, "acme")


async def test_a_day_of_the_inbox_is_no_way_around_the_policies(odd: DatabaseSettings) -> None:
    [day, *_] = await ask(
        odd,
        "owner",
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'inbox'::regclass",
    )

    with pytest.raises(DBAPIError, match="permission denied"):
        await ask(odd, "reader", f"SELECT * FROM {day}", "acme")  # noqa: S608  our own name


async def test_every_table_with_a_brand_is_forced(odd: DatabaseSettings) -> None:
    unforced = await ask(
        odd,
        "owner",
        """SELECT relname FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid
            WHERE relkind IN ('r', 'p') AND attname = 'brand_id' AND NOT relispartition
              AND relnamespace = 'public'::regnamespace
              AND NOT (relrowsecurity AND relforcerowsecurity)""",
    )
    assert unforced == []


async def test_outcomes_are_read_by_their_brand(database: Database) -> None:
    await deliver(database.writer, handlers, asked(Add(counter_id="mail", amount=1)))

    async with database.reader.begin() as connection:
        await connection.execute(text("SELECT set_config('app.brand', 'acme', true)"))
        brands = await connection.scalars(text("SELECT DISTINCT brand_id FROM inbox"))
        assert brands.all() == ["acme"]


async def test_nothing_that_a_service_keeps_has_no_brand(database: Database) -> None:
    log = Log(database.writer)
    log.append(asked(Add(counter_id="mail", amount=1, raises="bug"), brand="platform"))
    await log.poll()

    async with database.writer.begin() as connection:
        with pytest.raises(DBAPIError, match="held_brand_check"):
            await connection.execute(text("UPDATE held SET brand_id = ''"))


async def test_text_is_ordered_as_python_does(odd: DatabaseSettings) -> None:
    """Locks are taken in the order of keys: sorted here and there, it must be the same order."""
    words = ["B", "a", "Z-1", "Z_1", "z", "Z", "é", "10", "9", "a-b", "a:b", "ab"]
    values = ", ".join(f"('{one}')" for one in words)

    found = await ask(odd, "owner", f"SELECT v FROM (VALUES {values}) AS t(v) ORDER BY v")  # noqa: S608  our own words

    assert found == sorted(words)
