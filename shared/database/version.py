"""Whether a database has what this code expects of it, without what it takes to change it."""

import re
from pathlib import Path

from asyncpg import UndefinedTableError

from shared.database.access import VERSION_TABLES
from shared.database.engines import connect_alone
from shared.settings import DatabaseSettings

_ROOT = Path(__file__).parents[2]
_REVISION = re.compile(r"^revision(?:: str)? = ['\"](\w+)['\"]", re.MULTILINE)
_BEFORE = re.compile(r"^down_revision(?:: [^=]+)? = ['\"](\w+)['\"]", re.MULTILINE)


class SchemaBehind(RuntimeError):  # noqa: N818  its text is the sentence that the operator reads
    """The database is not as this code expects it; the text says what to do."""


async def check_version(settings: DatabaseSettings, service: str) -> None:
    """Raise `SchemaBehind` unless every migration of this code has been applied."""
    package = service.replace("-", "_")
    folders = {
        VERSION_TABLES[0]: _ROOT / "shared" / "messaging" / "migrations" / "versions",
        VERSION_TABLES[1]: _ROOT / "services" / package / "migrations" / "versions",
    }
    session = await connect_alone(settings, "owner", name="version")
    try:
        for table, folder in folders.items():
            expected = newest_of(folder)
            try:
                found = await session.fetchval(f"SELECT version_num FROM {table}")  # noqa: S608  one of two names
            except UndefinedTableError:
                found = None
            if expected != found:
                raise SchemaBehind(
                    f"The database {settings.name} is at version {found or 'nothing'} of "
                    f"{folder.relative_to(_ROOT)}, and this code expects {expected or 'nothing'}: "
                    "run `keyturn up`, which brings it there."
                )
    finally:
        session.terminate()


def newest_of(folder: Path) -> str | None:
    """Return the migration that no other one comes after, or None where there is none."""
    texts = [path.read_text() for path in folder.glob("*.py")]
    revisions = {found[1] for text in texts if (found := _REVISION.search(text))}
    before = {found[1] for text in texts if (found := _BEFORE.search(text))}
    return next(iter(sorted(revisions - before)), None)
