"""What a fetch does: judged, recorded and announced in one transaction, sealed after its commit."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Literal

import structlog
from keyturn_contracts.actor import Actor
from keyturn_contracts.credential_vault import (
    CredentialFetched,
    CredentialsAnswer,
    CredentialsWanted,
)
from keyturn_contracts.keys import SealingKey
from keyturn_contracts.receipt import digest_of_receipt, receipt_for
from keyturn_contracts.sealing import seal_for_engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.credential_vault.rules.audit import Entry, Who
from services.credential_vault.rules.entitlement import NOTHING
from services.credential_vault.rules.fetching import (
    Answer,
    Engine,
    judge_fetch,
    settings_to_give,
)
from services.credential_vault.store.audit import write_entries
from services.credential_vault.store.copies import load_allowed, load_engine, load_extensions
from services.credential_vault.store.entitlements import load_entitlements
from services.credential_vault.store.fetches import Fetched, lock_shared, record_holders
from services.credential_vault.store.secrets import Place, load_secrets, open_secret
from shared.messaging.outbox import Announcement, announce
from shared.security.keys import DoesNotOpenError, KeyProvider, UnknownKeyError
from shared.security.secret_fields import SecretFields

_log = structlog.stdlib.get_logger()

_LOOK_AGAIN_SECONDS = 0.05
Given = Answer | Literal["unavailable"]
_MAY_CHANGE: frozenset[Given] = frozenset({"not_bound", "not_licensed", "not_installed"})
"""What news that is on its way may change: of a binding, a licence, an installation."""


class UnknownEngineError(LookupError):
    """Whoever asks is no engine that the vault has heard of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """One account of a fetch, as it was under its lock."""

    account_id: str
    given: Given
    version: int | None = None
    settings: Mapping[str, str] | None = None
    fields: SecretFields | None = None


class Fetches:
    """Answers engines. Made once for each process."""

    def __init__(
        self,
        engine: AsyncEngine,
        keys: KeyProvider,
        receipt_key: bytes,
        *,
        wait_seconds: float,
        wake: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._keys = keys
        self._receipt_key = receipt_key
        self._wait_seconds = wait_seconds
        self._wake = wake

    async def answer(
        self, actor: Actor, engine_id: str, wanted: Sequence[CredentialsWanted]
    ) -> list[CredentialsAnswer]:
        """Answer in the order that was asked in. Every account asked for is on record before.

        A binding, licence or installation whose news is on its way is waited for, a moment at most.
        """
        deadline = monotonic() + self._wait_seconds
        while True:
            now = datetime.now(UTC)
            async with self._engine.begin() as connection:
                engine, sealing_key = await self._load_engine(connection, actor, engine_id)
                judged = await self._judge(connection, actor.brand, engine, wanted)
                if monotonic() >= deadline or not _may_change(judged):
                    is_told = await self._record(connection, actor, engine, judged, now)
                    break
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        if is_told:
            self._wake()
        return [self._answer_of(one, actor.brand, engine_id, sealing_key, now) for one in judged]

    async def _load_engine(
        self, connection: AsyncConnection, actor: Actor, engine_id: str
    ) -> tuple[Engine, SealingKey]:
        known = await load_engine(connection, actor.brand, engine_id)
        if known is None:
            raise UnknownEngineError(engine_id)
        engine, told = known
        return engine, told.enc.to_key()

    async def _judge(
        self,
        connection: AsyncConnection,
        brand: str,
        engine: Engine,
        wanted: Sequence[CredentialsWanted],
    ) -> list[_Judged]:
        ids = {one.id for one in wanted}
        accounts = await lock_shared(connection, brand, ids)
        # Statements of their own: their snapshots are younger than whatever the lock waited for.
        allowed = await load_allowed(connection, brand, engine.id, ids)
        entitled = await load_entitlements(
            connection, ((brand, account.extension) for account, _ in accounts.values())
        )
        entitlements = {
            id_: entitled[brand, account.extension] for id_, (account, _) in accounts.items()
        }
        answers: list[Answer] = [
            judge_fetch(
                engine,
                one.id,
                accounts[one.id][0] if one.id in accounts else None,
                is_bound=one.id in allowed,
                entitlement=entitlements.get(one.id, NOTHING),
                have=one.have,
            )
            for one in wanted
        ]
        sealed = {
            one.id: accounts[one.id]
            for one, answer in zip(wanted, answers, strict=True)
            if answer == "sealed"
        }
        opened = await self._open(
            connection, {Place(brand, id_, one.version) for id_, (one, _) in sealed.items()}
        )
        used = {one.extension for one, _ in sealed.values()}
        extensions = await load_extensions(connection, used) if used else {}
        settings = {
            id_: settings_to_give(own, extensions.get(one.extension), entitlements[id_])
            for id_, (one, own) in sealed.items()
        }
        versions = {id_: account.version for id_, (account, _) in accounts.items()}
        return [
            _judged(one.id, answer, versions.get(one.id), settings.get(one.id), opened.get(one.id))
            for one, answer in zip(wanted, answers, strict=True)
        ]

    async def _open(
        self, connection: AsyncConnection, places: set[Place]
    ) -> dict[str, SecretFields]:
        """Open these versions; what does not open is left out, and said so in the log."""
        opened: dict[str, SecretFields] = {}
        if not places:
            return opened
        closed = await load_secrets(connection, places)
        for at in sorted(places):
            try:
                opened[at.account_id] = await open_secret(self._keys, at, closed[at])
            except (KeyError, DoesNotOpenError, UnknownKeyError) as error:
                _log.error("a current version does not open", at=at, exc_info=error)
        return opened

    async def _record(
        self,
        connection: AsyncConnection,
        actor: Actor,
        engine: Engine,
        judged: Sequence[_Judged],
        now: datetime,
    ) -> bool:
        """Record holders and reads, and announce what is new; tell whether anything was."""
        lease_until = (
            now + timedelta(seconds=engine.lease_seconds)
            if engine.kind == "leasing" and engine.lease_seconds is not None
            else None
        )
        held = {
            one.account_id: one.version
            for one in judged
            if one.given in {"sealed", "unchanged"} and one.version is not None
        }
        new: set[str] = set()
        if held:
            new = await record_holders(
                connection,
                actor.brand,
                [Fetched(id_, engine.id, version, lease_until) for id_, version in held.items()],
            )
        await announce(
            connection,
            [
                Announcement(
                    CredentialFetched(
                        account_id=id_,
                        engine_id=engine.id,
                        version=held[id_],
                        receipt_sha256=digest_of_receipt(
                            self._receipt(actor.brand, id_, held[id_], engine.id)
                        ),
                        lease_until=lease_until,
                    ),
                    actor.brand,
                )
                for id_ in sorted(new)
            ],
        )
        await write_entries(
            connection,
            ((actor.brand, _entry(actor, engine, one, now)) for one in judged),
        )
        return bool(new)

    def _receipt(self, brand: str, account_id: str, version: int, engine_id: str) -> str:
        return receipt_for(
            self._receipt_key,
            brand=brand,
            account_id=account_id,
            version=version,
            engine_id=engine_id,
        )

    def _answer_of(
        self, one: _Judged, brand: str, engine_id: str, key: SealingKey, now: datetime
    ) -> CredentialsAnswer:
        match one.given:
            case "sealed":
                if one.fields is None or one.version is None:
                    raise LookupError("A version was to be sealed that was never opened.")
                sealed = seal_for_engine(
                    one.fields,
                    one.settings or {},
                    self._receipt(brand, one.account_id, one.version, engine_id),
                    key,
                    brand=brand,
                    account_id=one.account_id,
                    version=one.version,
                    engine_id=engine_id,
                    now=now,
                )
                return CredentialsAnswer(id=one.account_id, version=one.version, sealed=sealed)
            case "unchanged":
                return CredentialsAnswer(id=one.account_id, version=one.version, unchanged=True)
            case "deleted":
                return CredentialsAnswer(id=one.account_id, version=one.version, deleted=True)
            case "out_of_reach" | "account_unknown" | "unavailable":
                return CredentialsAnswer(id=one.account_id, refused=one.given)
            case "not_bound" | "not_licensed" | "not_installed":
                return CredentialsAnswer(id=one.account_id, refused="not_bound")


def _may_change(judged: Sequence[_Judged]) -> bool:
    return any(one.given in _MAY_CHANGE for one in judged)


def _judged(
    account_id: str,
    answer: Answer,
    version: int | None,
    settings: Mapping[str, str] | None,
    fields: SecretFields | None,
) -> _Judged:
    if version is None or answer in {"out_of_reach", "account_unknown", *_MAY_CHANGE}:
        return _Judged(account_id=account_id, given=answer)
    if answer == "sealed" and fields is None:
        return _Judged(account_id=account_id, given="unavailable", version=version)
    return _Judged(
        account_id=account_id,
        given=answer,
        version=version,
        settings=settings,
        fields=fields,
    )


def _entry(actor: Actor, engine: Engine, one: _Judged, now: datetime) -> Entry:
    is_answered = one.given in {"sealed", "unchanged", "deleted"}
    return Entry(
        at=now,
        by=Who(actor.issuer, actor.subject),
        action="fetch",
        account_id=one.account_id,
        result="done" if is_answered else "refused",
        version=one.version,
        engine_id=engine.id,
        reason="engine_retired" if engine.state == "retired" else one.given,
    )
