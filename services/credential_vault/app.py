"""The vault, assembled."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from fastapi import APIRouter
from keyturn_contracts.credential_vault import (
    AddAccount,
    DeleteAccount,
    EditCredentials,
    VerifyAccount,
)
from keyturn_contracts.workflow import RolloutChanged

from services.credential_vault.api import accounts as account_routes
from services.credential_vault.api import transport_keys as transport_key_routes
from services.credential_vault.api.credentials import credential_routes
from services.credential_vault.fetching import Fetches
from services.credential_vault.handlers import accounts_with, handlers_of
from services.credential_vault.jobs.clearing import clear_uninstalled
from services.credential_vault.jobs.retiring import plan_retirements, retire_due
from services.credential_vault.jobs.transport_keys import keep_transport_keys
from services.credential_vault.jobs.trying import Trials
from services.credential_vault.providers.provider import Providers
from services.credential_vault.providers.trust import TrustRootsError, tls_context
from services.credential_vault.settings import read_vault_settings
from services.credential_vault.store import secrets, transport_keys
from services.credential_vault.store.copies import load_engine_keys
from shared.messaging.service import Context, Job, Service, run
from shared.security.file_keys import FileKeys, InvalidKeyFileError, load_or_create_key
from shared.security.keys import UnknownKeyError
from shared.security.private_files import ExposedFileError, MissingFileError
from shared.security.process import close_to_others
from shared.settings import ServiceSettings, WrongExtra

NAME = "credential-vault"
_PROBLEMS = (
    ExposedFileError,
    InvalidKeyFileError,
    MissingFileError,
    TrustRootsError,
    WrongExtra,
)
"""What an operator must put right before the vault starts; their text says what."""


def assemble(settings: ServiceSettings) -> Service:
    """Return the vault with the keys of its folder; raises one of `_PROBLEMS`."""
    own = read_vault_settings(settings)
    trust = tls_context(own.trust_roots)
    keys = FileKeys(settings.keys)
    receipt_key = load_or_create_key(settings.keys, "receipt")
    accounts = accounts_with(keys, own.licence_contact)

    async def prepare(context: Context) -> None:
        async with context.writer.connect() as connection:
            used = await secrets.load_key_ids(connection)
            used |= await transport_keys.load_key_ids(connection)
        for key_id in sorted(used):
            if not await keys.knows(key_id):
                raise UnknownKeyError(key_id)
        await keep_transport_keys(context.writer, keys)

    def jobs(context: Context) -> Sequence[Job]:
        providers = Providers(own, context.redis, trust)
        trials = Trials(
            context.writer,
            accounts,
            keys=keys,
            providers=providers,
            settings=own,
            wake=context.wake,
        )
        second = timedelta(seconds=1)
        return (
            Job(
                name="try credentials",
                run=trials.start_due,
                every=second,
                woken_by=(AddAccount, EditCredentials, VerifyAccount),
            ),
            Job(
                name="plan retirements",
                run=partial(plan_retirements, context.writer, accounts),
                every=5 * second,
                woken_by=(RolloutChanged, DeleteAccount),
            ),
            Job(
                name="retire versions",
                run=partial(retire_due, context.writer, accounts, context.wake),
                every=second,
                woken_by=(RolloutChanged, DeleteAccount),
            ),
            Job(
                name="clear uninstalled extensions",
                run=partial(clear_uninstalled, context.writer, accounts, context.wake),
                every=second,
                # It looks at all that was ever uninstalled: once a second, not at each commit.
                woken_by=(),
            ),
            Job(
                name="keep transport keys",
                run=partial(keep_transport_keys, context.writer, keys),
                every=timedelta(minutes=5),
                woken_by=(),
            ),
        )

    def routes(context: Context) -> APIRouter:
        fetches = Fetches(
            context.writer,
            keys,
            receipt_key,
            wait_seconds=own.binding_wait_seconds,
            wake=context.wake,
        )
        router = APIRouter()
        router.include_router(account_routes.router)
        router.include_router(transport_key_routes.router)
        router.include_router(credential_routes(fetches))
        return router

    return Service(
        name=NAME,
        handlers=handlers_of(accounts),
        listens_to=("catalog", "installation", "workflow", "access"),
        prepare=prepare,
        jobs=jobs,
        routes=routes,
        engine_keys=load_engine_keys,
    )


def main(settings: ServiceSettings) -> None:
    """Run the vault until SIGTERM."""
    close_to_others()
    try:
        service = assemble(settings)
    except _PROBLEMS as problem:
        sys.exit(str(problem))
    run(service, settings)
