"""The key that credentials are sealed to: for everybody, since it gives nothing away."""

from fastapi import APIRouter
from keyturn_contracts.keys import Jwks

from services.credential_vault.store.transport_keys import load_published
from shared.http.auth import HasContext
from shared.http.errors import ApiError

router = APIRouter(prefix="/v1/transport-keys")


@router.get("", response_model_exclude_none=True)
async def show_transport_keys(context: HasContext) -> Jwks:
    """Return the newest key alone; older ones are accepted for a while, and given out no more."""
    async with context.writer.connect() as connection:
        published = await load_published(connection)
    if published is None:
        raise ApiError("not_ready", "The vault is making its first transport key: try again.")
    return published[0]
