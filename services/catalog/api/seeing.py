"""Who sees which extension: what every route that names one begins with."""

from dataclasses import dataclass
from datetime import datetime

from keyturn_contracts.actor import Actor
from keyturn_contracts.catalog import ExtensionState, Manifest
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.queries import extension as queries
from services.catalog.rules.extension import OPERATOR
from services.catalog.settings import CatalogSettings
from shared.http.auth import Caller
from shared.http.errors import ApiError

_NOT_FOUND = "There is no such extension. GET /v1/extensions lists them."


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An extension that the caller may see."""

    manifest: Manifest
    version: int
    state: ExtensionState
    retired_because: str | None
    published_at: datetime
    is_installed: bool


def sees_all(caller: Actor) -> bool:
    return OPERATOR in caller.roles


def check_is_somebody(caller: Caller) -> None:
    """Answer `not_allowed` to whoever has no role left: their brand's list does not name them."""
    if not caller.roles:
        raise ApiError(
            "not_allowed",
            "You are not on your brand's list of members: ask one of its administrators.",
        )


async def find_extension(
    connection: AsyncConnection, caller: Actor, slug: str, settings: CatalogSettings
) -> Found:
    """Return the extension, or answer that it is not licensed, or that there is none.

    One that is retired is found by those who have it, and by operators.
    """
    row = await queries.load_extension(connection, caller.brand, slug)
    if row is None:
        raise ApiError("not_found", _NOT_FOUND)
    if not sees_all(caller):
        if row.state == "retired" and not (row.is_covered and row.is_installed):
            raise ApiError("not_found", _NOT_FOUND)
        if not row.is_covered:
            raise ApiError(
                "not_allowed",
                f"{slug} is not in your licence; reach out to {settings.licence_contact}.",
            )
    return Found(
        manifest=Manifest.model_validate(row.manifest),
        version=row.version,
        state=row.state,
        retired_because=row.retired_because,
        published_at=row.published_at,
        is_installed=row.is_installed,
    )
