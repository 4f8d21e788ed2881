"""Who may do what with a service's tables: its writer everything, its reader its own brand's rows.

Worked out from what is in the database, so that no migration can forget it.
"""

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.tables import HIDDEN, SHARED
from shared.settings import DatabaseSettings

_TABLES = text("""
    SELECT c.relname, c.relforcerowsecurity AND c.relrowsecurity,
           EXISTS (SELECT FROM pg_attribute a
                    WHERE a.attrelid = c.oid AND a.attname = 'brand_id' AND NOT a.attisdropped),
           obj_description(c.oid, 'pg_class'),
           ARRAY(SELECT p.polname FROM pg_policy p WHERE p.polrelid = c.oid)
      FROM pg_class c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
       AND NOT c.relispartition
     ORDER BY c.relname
""")

VERSION_TABLES = ("messaging_version", "service_version")
"""Of the migrations themselves: nobody but the owner has to do with them."""

_EVERYTHING = "everything"
_OWN_BRAND = "own_brand"


async def grant_access(connection: AsyncConnection, settings: DatabaseSettings) -> None:
    """Grant, and force row-level security, wherever it is missing. As the owner.

    Tables with `brand_id` are readable brand by brand, unless their comment is `HIDDEN`; tables
    without it not at all, unless their comment is `SHARED`. Partitions have no grants of their own:
    they are reached through their table, whose policies hold.
    """
    owner, writer, reader = (
        _quoted(one.name) for one in (settings.owner, settings.writer, settings.reader)
    )
    statements = [f"GRANT USAGE ON SCHEMA public TO {writer}, {reader}"]
    for name, is_forced, has_brand, comment, policies in await connection.execute(_TABLES):
        if name in VERSION_TABLES:
            continue
        table = _quoted(name)
        statements.append(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {writer}")
        is_readable = comment != HIDDEN if has_brand else comment == SHARED
        verb, to = ("GRANT", "TO") if is_readable else ("REVOKE", "FROM")
        statements.append(f"{verb} SELECT ON {table} {to} {reader}")
        if has_brand:
            statements += _force(table, owner, writer, reader, policies, is_forced=is_forced)
    statements.append(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {writer}")
    # An answer names the service's revision, as every outcome does; of no message it tells more.
    statements.append(f"GRANT SELECT ON SEQUENCE outbox_id_seq TO {reader}")
    for statement in statements:
        await connection.exec_driver_sql(statement)


def _force(
    table: str, owner: str, writer: str, reader: str, policies: Iterable[str], *, is_forced: bool
) -> list[str]:
    # A policy or a flag that is there is left alone: each change locks the table for everybody.
    statements: list[str] = []
    if not is_forced:
        statements += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        ]
    if _EVERYTHING not in policies:
        statements.append(
            f"CREATE POLICY {_EVERYTHING} ON {table} TO {owner}, {writer} USING (true)"
        )
    if _OWN_BRAND not in policies:
        statements.append(
            f"CREATE POLICY {_OWN_BRAND} ON {table} FOR SELECT TO {reader}"
            " USING (brand_id = nullif(current_setting('app.brand', true), ''))"
        )
    return statements


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
