"""The door for engines: `POST /v1/credentials`."""

from fastapi import APIRouter
from keyturn_contracts.credential_vault import CredentialsFetched, FetchCredentials

from services.credential_vault.fetching import Fetches, UnknownEngineError
from shared.http.auth import Caller
from shared.http.errors import ApiError


def credential_routes(fetches: Fetches) -> APIRouter:
    """Return the route; what it answers is never kept by anyone on the way."""
    router = APIRouter(prefix="/v1/credentials")

    @router.post("", response_model_exclude_none=True)
    async def fetch_credentials(wanted: FetchCredentials, caller: Caller) -> CredentialsFetched:
        if caller.engine_id is None:
            raise ApiError("not_allowed", "Only an engine fetches credentials, with its own key.")
        try:
            answers = await fetches.answer(caller, caller.engine_id, wanted.accounts)
        except UnknownEngineError:
            raise ApiError("not_authenticated", "The engine is not registered.") from None
        return CredentialsFetched(accounts=tuple(answers))

    return router
