"""Tries versions at their providers: claimed, tried outside any transaction, settled in one."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

import structlog
from keyturn_contracts.catalog import ExtensionChanged
from keyturn_contracts.credential_vault import VerifyAccount
from keyturn_contracts.message import Command, Key
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.credential_vault.providers.finding import Finding
from services.credential_vault.providers.probes import Attempt
from services.credential_vault.providers.provider import Providers
from services.credential_vault.rules.account import Desk
from services.credential_vault.rules.addresses import reachable
from services.credential_vault.rules.editing import conclude_edit
from services.credential_vault.rules.entitlement import NOT_ACCEPTED, in_force, why_not
from services.credential_vault.rules.trial import Trial, is_worth_another
from services.credential_vault.rules.verifying import conclude_verification
from services.credential_vault.settings import VaultSettings
from services.credential_vault.store.claims import ToTry, claim_trials, postpone
from services.credential_vault.store.secrets import open_secret
from shared.messaging.crash import crash_point
from shared.messaging.failures import classify
from shared.messaging.handlers import Aggregate
from shared.messaging.latest import SequenceTaken
from shared.messaging.settle import settle
from shared.security.keys import DoesNotOpenError, KeyProvider, UnknownKeyError
from shared.security.secret_fields import SecretFields

_log = structlog.stdlib.get_logger()

_SHORTEST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(seconds=5)
_TRANSACTIONS = 4
"""How often a settlement is tried that another transaction got in the way of."""
_NOT_ASKED = Finding("provider_unreachable", "Nothing was tried: the account was deleted.")
_WENT_WRONG = Finding(
    "provider_unreachable",
    "It could not be tried, for a fault that is not yours: the vault's log tells operators of it.",
)


class Trials:
    """What one process has under way. A try that never ends, or dies with us, is somebody else's.

    A slow provider keeps one place and nobody waiting: each try is a task of its own.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        accounts: Aggregate[Desk],
        *,
        keys: KeyProvider,
        providers: Providers,
        settings: VaultSettings,
        wake: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._accounts = accounts
        self._keys = keys
        self._providers = providers
        self._settings = settings
        self._wake = wake
        self._under_way: set[asyncio.Task[None]] = set()

    async def start_due(self) -> int:
        """Claim what is due, as far as there is room, and begin to try it; return how many."""
        room = self._settings.tries_at_once - len(self._under_way)
        if room <= 0:
            return 0
        async with self._engine.begin() as connection:
            due = await claim_trials(connection, room, self._settings.lease)
        at_once: list[tuple[ToTry, Finding]] = []
        for one in due:
            prepared = await self._prepare(one)
            if isinstance(prepared, Finding):
                at_once.append((one, prepared))
            elif prepared is not None:
                self._begin(self._try(one, prepared))
        await self._settle(at_once)
        return len(due)

    async def finish(self) -> None:
        """Wait until nothing is under way any more."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _prepare(self, one: ToTry) -> Finding | Attempt | None:
        """Return whom to ask, or what is known without asking; None where it cannot be opened."""
        if one.is_deleted:
            return _NOT_ASKED
        if (reason := why_not(one.entitlement)) is not None:
            return Finding(reason)
        if one.extension is None or one.secret is None:
            _log.error("a version cannot be tried: its extension or secret is missing", at=one.at)
            return None
        try:
            fields = await open_secret(self._keys, one.at, one.secret)
        except (DoesNotOpenError, UnknownKeyError) as error:
            _log.error(
                "a version cannot be tried: its secret does not open", at=one.at, exc_info=error
            )
            return None
        # Any exception is caught here, as else in shared/messaging alone: what is claimed together
        # is of many brands, and no wrapper around the job knows whose it was. It would be claimed
        # again first, hold all others up for ever, and never be answered. No transaction is open,
        # and nothing has been sent.
        try:
            return self._fill(one, one.extension, fields)
        except Exception as error:  # noqa: BLE001  one extension would hold up all the others
            return _went_wrong(one, error)

    def _fill(
        self, one: ToTry, extension: ExtensionChanged, fields: SecretFields
    ) -> Finding | Attempt:
        manifest = in_force(extension, one.entitlement)
        if manifest is None:
            return Finding("provider_unreachable", NOT_ACCEPTED)
        allowed = reachable(manifest, one.entitlement)
        return self._providers.prepare(allowed, one.scheme, one.settings, fields)

    def _begin(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        task = asyncio.create_task(run(), name="a try at a provider")
        self._under_way.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease runs out, and whoever comes then tries it again.
            _log.error("a try could not be settled", exc_info=error)
        self._wake()

    async def _try(self, one: ToTry, attempt: Attempt) -> None:
        wait = await self._providers.take_turn(attempt)
        if wait > 0:
            await self._postpone(one, timedelta(seconds=wait))
            return
        # Any exception is caught here too: libraries for SMTP, SSH and TLS raise what they like at
        # what a stranger's server says. It counts as an answer that did not come: tried again for a
        # while, then refused. No transaction is open; what settles it stands outside and may raise.
        try:
            finding = await self._providers.carry_out(attempt)
        except Exception as error:  # noqa: BLE001  it would be tried for ever, and never answered
            finding = _went_wrong(one, error)
        crash_point("vault.after_try")
        waited = datetime.now(UTC) - one.since
        if is_worth_another(one.since, _trial(one, finding)):
            await self._postpone(one, min(max(waited / 2, _SHORTEST_PAUSE), _LONGEST_PAUSE))
            return
        await self._settle([(one, finding)])

    async def _postpone(self, one: ToTry, pause: timedelta) -> None:
        async with self._engine.begin() as connection:
            await postpone(connection, one.at, one.claim, pause)

    async def _settle(self, found: Iterable[tuple[ToTry, Finding]]) -> None:
        """Conclude these, each looking at its account as it is by now."""
        by_command: dict[type[Command], dict[Key, Trial]] = {}
        for one, finding in found:
            by_command.setdefault(one.command, {})[one.key] = _trial(one, finding)
        for command, trials in by_command.items():
            await self._settle_all(command, trials)
        if by_command:
            self._wake()

    async def _settle_all(self, command: type[Command], trials: Mapping[Key, Trial]) -> None:
        """Conclude those of one command in a transaction; again where it only met another one."""
        conclude = conclude_verification if command is VerifyAccount else conclude_edit
        for attempt in range(1, _TRANSACTIONS + 1):
            try:
                async with self._engine.begin() as connection:
                    settled = await settle(connection, self._accounts, command, trials, conclude)
            except (DBAPIError, SequenceTaken) as error:
                if attempt == _TRANSACTIONS or classify(error) != "again":
                    raise
            else:
                for key, error in settled.failed.items():
                    _log.error("a try could not be settled", about=str(key), exc_info=error)
                return


def _went_wrong(one: ToTry, error: Exception) -> Finding:
    """Report a fault of ours. What it says may quote what was sent, so only its kind is told."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    raised_in = [f"{frame.name}, line {frame.lineno}" for frame in last]
    _log.error("a try went wrong", at=one.at, cause=type(error).__name__, raised_in=raised_in)
    return _WENT_WRONG


def _trial(one: ToTry, finding: Finding) -> Trial:
    return Trial(
        number=one.at.number,
        claim=one.claim,
        at=datetime.now(UTC),
        verdict=finding.verdict,
        said=finding.said,
    )
