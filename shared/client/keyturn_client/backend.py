"""A backend system: it sends commands, safely, and asks what is so."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

from keyturn_contracts.credential_vault import DEFAULT_RETIRE, AddAccount, EditCredentials
from keyturn_contracts.ids import new_id
from keyturn_contracts.keys import Jwks
from keyturn_contracts.message import Command, CommandApplied, CommandRefused
from keyturn_contracts.sealing import seal_for_vault
from keyturn_contracts.workflow import RolloutChanged
from pydantic import SecretStr

from keyturn_client.commands import Prepared, Signer, prepare
from keyturn_client.http import Http
from keyturn_client.kept import Kept
from keyturn_client.outcomes import LONGEST_WAIT, ask_outcome
from keyturn_client.pauses import Pauses
from keyturn_client.problems import NoOutcomeYetError, UnreachableError
from keyturn_client.queries import Queries
from keyturn_client.settings import BackendSettings
from keyturn_client.watching import events, rollout_changes
from keyturn_client.wire import Heard, Publisher

_TWO_MINUTES = timedelta(minutes=2)
_SHORT_PAUSE = 0.1


class Backend:
    """Sends commands in the name of one person or system of a brand.

    Use it as `async with Backend(settings) as backend:`. A refusal is an answer: it is returned.
    """

    def __init__(self, settings: BackendSettings) -> None:
        self._settings = settings
        self._signer = Signer.of(settings)
        self._http = Http(settings.services, self._signer)
        self._publisher = Publisher(settings.kafka)
        self._kept = Kept(settings.kept)
        self.queries = Queries(self._http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._publisher.close()
        await self._http.close()

    @property
    def brand(self) -> str:
        return self._settings.brand

    # Commands.

    def prepare(self, command: Command) -> Prepared:
        """Fix a command's id and bytes, so that it can be sent any number of times as the same."""
        return prepare(command, self.brand)

    async def prepare_account(
        self,
        account_id: str,
        *,
        extension: str,
        scheme: str,
        name: str,
        settings: Mapping[str, str],
        fields: Mapping[str, SecretStr],
        retire: str = DEFAULT_RETIRE,
    ) -> Prepared:
        """Return an `AddAccount` whose credential fields are sealed to the vault."""
        command_id = new_id()
        command = AddAccount(
            account_id=account_id,
            extension=extension,
            scheme=scheme,
            name=name,
            settings=dict(settings),
            sealed=await self.seal(account_id, fields, command_id=command_id),
            retire=retire,
        )
        return prepare(command, self.brand, command_id)

    async def prepare_rotation(
        self,
        account_id: str,
        *,
        fields: Mapping[str, SecretStr],
        scheme: str | None = None,
        settings: Mapping[str, str] | None = None,
        replaces_version: int | None = None,
        retire: str | None = None,
    ) -> Prepared:
        """Return an `EditCredentials` whose credential fields are sealed to the vault."""
        command_id = new_id()
        command = EditCredentials(
            account_id=account_id,
            sealed=await self.seal(account_id, fields, command_id=command_id),
            scheme=scheme,
            settings=None if settings is None else dict(settings),
            replaces_version=replaces_version,
            retire=retire,
        )
        return prepare(command, self.brand, command_id)

    async def seal(
        self, account_id: str, fields: Mapping[str, SecretStr], *, command_id: str
    ) -> str:
        """Seal credential fields to the vault's newest transport key, for this one command."""
        found = await self._http.get("credential-vault", "/v1/transport-keys")
        keys = Jwks.model_validate(found).keys
        if not keys:
            raise UnreachableError("The vault has no transport key now: try again in a moment.")
        return seal_for_vault(
            {name: value.get_secret_value() for name, value in fields.items()},
            keys[0].to_key(),
            brand=self.brand,
            account_id=account_id,
            command_id=command_id,
        )

    async def publish(
        self, command: Command | Prepared, *, within: timedelta = _TWO_MINUTES
    ) -> Prepared:
        """Publish a command, and return it: it is on record now, with all of Kafka's replicas.

        In doubt it is sent again: the same id and bytes with a fresh signature. After an
        `UnreachableError` it may be on record all the same, and can be published again.
        """
        prepared = command if isinstance(command, Prepared) else self.prepare(command)
        self._kept.keep(prepared)
        deadline = asyncio.get_running_loop().time() + within.total_seconds()
        pauses = Pauses()
        while True:
            try:
                await self._publisher.send([self._signer.record(prepared)])
            except UnreachableError:
                pause = pauses.next()
                if asyncio.get_running_loop().time() + pause > deadline:
                    raise
                await asyncio.sleep(pause)
            else:
                return prepared

    async def outcome(
        self, command: Prepared, *, within: timedelta = _TWO_MINUTES
    ) -> CommandApplied | CommandRefused:
        """Return what came of a command, or raise `NoOutcomeYetError`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within.total_seconds()
        pauses = Pauses()
        while True:
            left = deadline - loop.time()
            try:
                found = await ask_outcome(
                    self._http, command.service, command.id, min(left, LONGEST_WAIT)
                )
                if found is not None:
                    self._kept.forget(command)
                    return found
                # Less than a second is not waited for by the service.
                pause = 0.0 if left >= 1 else _SHORT_PAUSE
            except UnreachableError:
                pause = pauses.next()
            if loop.time() + pause >= deadline:
                raise NoOutcomeYetError(
                    f"No outcome of {command.command_type.__name__} {command.id} has come within "
                    f"{within.total_seconds():g} s. Ask for it later, or send it again: it takes "
                    "effect once."
                )
            await asyncio.sleep(pause)

    async def ask(
        self, command: Command | Prepared, *, within: timedelta = _TWO_MINUTES
    ) -> CommandApplied | CommandRefused:
        """Publish a command and return what came of it.

        One that reached Kafka after its signature had expired is sent again with a fresh one.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within.total_seconds()
        prepared = await self.publish(command, within=within)
        while True:
            left = timedelta(seconds=max(0.0, deadline - loop.time()))
            found = await self.outcome(prepared, within=left)
            is_late = isinstance(found, CommandRefused) and found.reason == "expired"
            if not is_late or loop.time() > deadline:
                return found
            await self.publish(prepared, within=left)

    def unanswered(self) -> list[Prepared]:
        """Return the kept commands whose outcome has not come, of earlier processes too."""
        return self._kept.all()

    # Events.

    def events(self, *services: str, from_start: bool = False) -> AsyncGenerator[Heard]:
        """Yield the events of these services, of this brand and of none, from now on."""
        return events(self._settings.kafka, services, self.brand, from_start=from_start)

    def watch_rollout(self, rollout_id: str) -> AsyncGenerator[RolloutChanged]:
        """Yield a rollout as it is, and each time it changes, until it has ended."""
        return rollout_changes(self._settings.kafka, self.brand, rollout_id, self.queries.rollout)
