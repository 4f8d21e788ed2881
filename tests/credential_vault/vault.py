"""The vault as its tests drive it: its own database, keys and jobs, and no broker."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from keyturn_contracts.actor import Role
from keyturn_contracts.catalog import ExtensionChanged
from keyturn_contracts.credential_vault import AddAccount, EditCredentials
from keyturn_contracts.ids import new_id
from keyturn_contracts.keys import (
    SigningKey,
    new_engine_sealing_key,
    new_signing_key,
    public_jwk,
)
from keyturn_contracts.message import Command, CommandApplied, CommandRefused, Event
from keyturn_contracts.sealing import seal_for_vault
from keyturn_contracts.workflow import (
    AccountBound,
    EngineKind,
    EngineRegistered,
    Reach,
    RolloutCompleted,
)
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.credential_vault.handlers import accounts_with, handlers_of
from services.credential_vault.jobs.clearing import clear_uninstalled
from services.credential_vault.jobs.retiring import plan_retirements, retire_due
from services.credential_vault.jobs.trying import Trials
from services.credential_vault.providers.finding import Finding
from services.credential_vault.providers.probes import Attempt
from services.credential_vault.providers.provider import Providers
from services.credential_vault.providers.trust import tls_context
from services.credential_vault.rules.account import Desk
from services.credential_vault.settings import VaultSettings
from services.credential_vault.store.transport_keys import load_published
from shared.messaging import inbox
from shared.messaging.batch import Batch, Turn, apply_batch, apply_commands
from shared.messaging.envelope import Asked
from shared.messaging.handlers import Aggregate, Handlers
from shared.security.file_keys import FileKeys
from tests.batches import Database, Published, asked, deliver, news, published
from tests.credential_vault.given import granted

C = TypeVar("C", bound=Command)

SIGNING = {"extension": "smtp-relay", "scheme": "signing-secret"}
"""An account of this kind is accepted without anybody being asked."""


Meanwhile = Callable[[], Awaitable[object]]


class Interrupted(Providers):
    """Real providers, and something that happens just after they have answered."""

    def __init__(self, settings: VaultSettings, meanwhile: Meanwhile) -> None:
        super().__init__(settings, None, tls_context(settings.trust_roots))
        self._meanwhile = meanwhile

    async def carry_out(self, attempt: Attempt) -> Finding:
        found = await super().carry_out(attempt)
        await self._meanwhile()
        return found


@dataclass
class GivenEngine:
    """An engine with its keys, as it registered."""

    id: str = "e1"
    brand: str = "acme"
    kind: EngineKind = "confirming"
    lease_seconds: int | None = None
    reach: Reach = field(default_factory=lambda: Reach(all=True))
    sig: SigningKey = field(default_factory=new_signing_key)
    enc: Any = field(default_factory=new_engine_sealing_key)

    def registered(self, **changes: Any) -> EngineRegistered:
        told = EngineRegistered(
            engine_id=self.id,
            name=self.id,
            engine_kind=self.kind,
            lease_seconds=self.lease_seconds,
            reach=self.reach,
            sig=public_jwk(self.sig, "sig"),
            enc=public_jwk(self.enc, "enc"),
            state="registered",
        )
        return told.model_copy(update=changes)


@dataclass
class Vault:
    """One process of the vault, without what would start by itself."""

    database: Database
    keys: FileKeys
    settings: VaultSettings
    accounts: Aggregate[Desk]
    handlers: Handlers
    trials: Trials
    _sequence: int = 1

    @classmethod
    def on(
        cls,
        database: Database,
        keys: FileKeys,
        settings: VaultSettings,
        providers: Providers | None = None,
    ) -> "Vault":
        accounts = accounts_with(keys, settings.licence_contact)
        trust = tls_context(settings.trust_roots)
        trials = Trials(
            database.writer,
            accounts,
            keys=keys,
            providers=providers or Providers(settings, None, trust),
            settings=settings,
            wake=lambda: None,
        )
        return cls(database, keys, settings, accounts, handlers_of(accounts), trials)

    def another(self, *, meanwhile: Meanwhile | None = None, **changed: Any) -> "Vault":
        """Return another process of the vault, with a setting changed.

        `meanwhile` happens there between what a provider answered and what is made of it.
        """
        settings = self.settings.model_copy(update=changed)
        providers = Interrupted(settings, meanwhile) if meanwhile is not None else None
        return Vault.on(self.database, self.keys, settings, providers)

    @property
    def engine(self) -> AsyncEngine:
        return self.database.writer

    async def deliver(self, *messages: Any) -> Batch:
        return await deliver(self.engine, self.handlers, *messages)

    async def hear(self, *events: Event, brand: str = "acme") -> None:
        """Have news come, each newer than all before."""
        for event in events:
            self._sequence += 1
            belongs_to = "platform" if isinstance(event, ExtensionChanged) else brand
            await self.deliver(news(event, self._sequence, brand=belongs_to))

    async def hear_engine(self, engine: GivenEngine, *bound_to: str) -> None:
        await self.hear(engine.registered(), brand=engine.brand)
        for account_id in bound_to:
            await self.hear(bound(engine.id, account_id), brand=engine.brand)

    async def seal(
        self, fields: Mapping[str, str], account_id: str, command_id: str, brand: str = "acme"
    ) -> str:
        """Seal as a client does, to the key that is given out."""
        async with self.engine.connect() as connection:
            found = await load_published(connection)
        assert found is not None
        key = found[0].keys[0].to_key()
        return seal_for_vault(
            fields, key, brand=brand, account_id=account_id, command_id=command_id
        )

    async def adding(
        self,
        fields: Mapping[str, str],
        settings: Mapping[str, str],
        *,
        account_id: str = "mail",
        scheme: str = "smtp-password",
        by: str = "ada",
        brand: str = "acme",
        roles: Sequence[Role] = ("administrator",),
        **changes: Any,
    ) -> Asked[AddAccount]:
        command_id = new_id()
        command = AddAccount(
            account_id=account_id,
            extension="smtp-relay",
            scheme=scheme,
            name="Mail",
            settings=dict(settings),
            sealed=await self.seal(fields, account_id, command_id, brand),
        )
        command = command.model_copy(update=changes)
        return asked(command, by=by, brand=brand, roles=roles, command_id=command_id)

    async def rotating(
        self,
        fields: Mapping[str, str],
        *,
        account_id: str = "mail",
        by: str = "ada",
        brand: str = "acme",
        **changes: Any,
    ) -> Asked[EditCredentials]:
        command_id = new_id()
        command = EditCredentials(
            account_id=account_id,
            sealed=await self.seal(fields, account_id, command_id, brand),
        )
        command = command.model_copy(update=changes)
        return asked(command, by=by, brand=brand, command_id=command_id)

    async def tried(self, times: int = 1) -> None:
        """Try what is due, so many times over, until nothing is under way any more.

        Of accounts that are added thereby it is then heard who owns them, as from access.
        """
        for _ in range(times):
            await self.trials.start_due()
            await self.trials.finish()
        await self.hear_creators()

    async def hear_creators(self) -> None:
        """Have the news come that those who added accounts were made their owners: once of each."""
        for brand, account_id, creator in await self.rows(
            "SELECT brand_id, id, creator FROM account a WHERE state <> 'adding' AND NOT EXISTS "
            "(SELECT 1 FROM ownership WHERE brand_id = a.brand_id AND account_id = a.id)"
        ):
            await self.hear(granted(account_id, creator), brand=brand)

    async def given_account(
        self, account_id: str = "mail", *, value: str = "first", **changes: Any
    ) -> None:
        """Add an account that is accepted without anybody being asked: version 1 is current."""
        command = await self.adding(
            {"secret": value},
            {"host": "mail.example.com"},
            account_id=account_id,
            scheme="signing-secret",
            **changes,
        )
        await self.deliver(command)
        await self.tried()
        assert await self.outcome(command) == "applied"

    async def given_rotation(
        self, account_id: str = "mail", *, value: str = "next", **changes: Any
    ) -> None:
        """Rotate an account that `given_account` made."""
        command = await self.rotating({"secret": value}, account_id=account_id, **changes)
        await self.deliver(command)
        await self.tried()
        assert await self.outcome(command) == "applied"

    async def retire(self) -> int:
        """Plan and carry out what is due now; return how many versions were retired."""
        await plan_retirements(self.engine, self.accounts)
        return await retire_due(self.engine, self.accounts, lambda: None)

    async def clear(self, most: int = 200) -> int:
        """Delete accounts of what is being uninstalled; return what came of it."""
        return await clear_uninstalled(self.engine, self.accounts, lambda: None, most=most)

    async def waited(self, command: Asked[Any]) -> CommandRefused:
        """Deliver a command that is held, and return what it is refused as when nothing comes."""
        assert [one.turn.asked for one in (await self.deliver(command)).held] == [command]
        batch = Batch()
        async with self.engine.connect() as connection:
            turn = Turn(command, has_waited=True)
            await apply_commands(connection, self.handlers, [turn], batch)
        ((_, refused),) = batch.answers
        assert isinstance(refused, CommandRefused)
        return refused

    async def answer(self, command: Asked[Any]) -> CommandApplied | CommandRefused | None:
        """Return what the sender hears, or None while it is open; deliver it where it is new."""
        async with self.engine.connect() as connection:
            known = await inbox.find(connection, command.id)
        if known is not None:
            return known.outcome
        return dict((await self.deliver(command)).answers).get(command.id)

    async def outcome(self, command: Asked[Any]) -> str | None:
        """Return `applied`, the reason of a refusal, or None while it is open."""
        answer = await self.answer(command)
        return answer.reason if isinstance(answer, CommandRefused) else answer and answer.outcome

    async def refused_in_vain(self, command: Asked[Any]) -> str:
        """Return why a command is refused, without anything being kept of it."""
        async with self.engine.connect() as connection:
            batch = await apply_batch(connection, self.handlers, [command])
        ((_, answer),) = batch.answers
        assert isinstance(answer, CommandRefused)
        return answer.reason

    async def rows(self, statement: str, **parameters: object) -> list[tuple[Any, ...]]:
        async with self.engine.connect() as connection:
            found = await connection.execute(text(statement), parameters)
            return [tuple(row) for row in found]

    async def execute(self, statement: str, **parameters: object) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement), parameters)

    async def versions(self, account_id: str = "mail", brand: str = "acme") -> dict[int, str]:
        """Return each version's status."""
        return {
            row[0]: row[1]
            for row in await self.rows(
                "SELECT number, status FROM version WHERE brand_id = :brand AND account_id = :id "
                "ORDER BY number",
                brand=brand,
                id=account_id,
            )
        }

    async def events(self, account_id: str = "mail") -> list[Published]:
        """Return what was announced of an account, in its order."""
        key = f"acme/accounts/{account_id}"
        return [one for one in await published(self.engine) if one.key == key]

    async def told(self, account_id: str = "mail") -> list[str]:
        return [one.type for one in await self.events(account_id)]

    async def audited(self, account_id: str = "mail", brand: str = "acme") -> list[tuple[Any, ...]]:
        """Return (action, result, reason, version, actor, engine) of what is on record."""
        return await self.rows(
            "SELECT action, result, reason, version, actor, engine_id FROM audit "
            "WHERE brand_id = :brand AND account_id = :id ORDER BY id",
            brand=brand,
            id=account_id,
        )


def bound(engine_id: str, account_id: str, *, allowed: bool = True) -> AccountBound:
    return AccountBound(engine_id=engine_id, account_id=account_id, bound=True, allowed=allowed)


def completed(
    account_id: str = "mail", version: int = 2, *, account_epoch: int = 1
) -> RolloutCompleted:
    now = datetime.now(UTC)
    return RolloutCompleted(
        rollout_id=f"{account_id}.{version}",
        account_id=account_id,
        version=version,
        account_epoch=account_epoch,
        state="completed",
        opened_at=now,
        deadline=now + timedelta(hours=1),
        legs=1,
        done=1,
    )
