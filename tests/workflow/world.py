"""What a service test does: tell, have the jobs run, and read what came of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from keyturn_contracts.credential_vault import AccountChanged, HolderRef
from keyturn_contracts.keys import new_signing_key
from keyturn_contracts.message import Event
from keyturn_contracts.workflow import HoldingChanged, RolloutChanged
from sqlalchemy import select

from services.workflow import handlers as table_of_contents
from services.workflow.jobs.clearing import clear_uninstalled
from services.workflow.jobs.closing import close_rollouts
from services.workflow.jobs.counting import count_engines
from services.workflow.jobs.following import follow_entitlements
from services.workflow.jobs.judging import judge_accounts
from services.workflow.jobs.marking import mark_concerned
from services.workflow.rules.holding import Holding
from services.workflow.rules.rollout import Rhythm
from services.workflow.store.holding import HoldingKey, load_holdings
from services.workflow.tables import ProofRow
from shared.messaging.batch import Message
from tests.batches import Published, published
from tests.workflow.given import (
    ADA,
    GivenEngine,
    account_event,
    account_news,
    grant_news,
    installation_news,
    licence_news,
    utc_now,
)
from tests.world import ServiceWorld

PROOF_KEY = new_signing_key()
DAY = timedelta(days=1)
QUIET = Rhythm(deadline=DAY, progress=timedelta(0), ask_again=DAY, ask_at_most=DAY, look_again=DAY)
"""Says what is new at once, and nothing because of time."""


@dataclass
class World(ServiceWorld):
    """One brand's engines and accounts, in a database with a twin."""

    handlers = table_of_contents.handlers

    sequences: Counter[str] = field(default_factory=Counter[str])
    uninstallations: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """When each was begun."""

    async def engine(self, id_: str = "e1", **options: Any) -> GivenEngine:
        """Register an engine and begin its first epoch."""
        engine = GivenEngine(id_, clock=utc_now, **options)
        await self.tell(engine.registered(), engine.begin())
        return engine

    async def account(
        self, account_id: str = "mail", version: int = 1, *holders: str | HolderRef, **changes: Any
    ) -> None:
        """Have the vault tell of an account, and access of its owner; each time newer news."""
        news: list[Message] = [self.news(account_id, version, *holders, **changes)]
        if not self.sequences[f"{account_id}/{ADA}"]:
            news.append(self.granted(ADA, account_id))
        await self.tell(*news)

    def granted(self, member: str, account_id: str = "mail", **changes: Any) -> Message:
        """Have access tell what a member was given; each time it is newer news."""
        name = f"{account_id}/{member}"
        self.sequences[name] += 1
        return grant_news(member, account_id, sequence=self.sequences[name], **changes)

    async def give(self, member: str, account_id: str = "mail", **changes: Any) -> None:
        await self.tell(self.granted(member, account_id, **changes))

    async def take(self, member: str, account_id: str = "mail", **changes: Any) -> None:
        await self.tell(self.granted(member, account_id, is_ended=True, **changes))

    def news(
        self, account_id: str = "mail", version: int = 1, *holders: str | HolderRef, **changes: Any
    ) -> Message:
        self.sequences[account_id] += 1
        refs = tuple(HolderRef(engine_id=one) if isinstance(one, str) else one for one in holders)
        event: AccountChanged = account_event(account_id, version, holders=refs, **changes)
        return account_news(event, self.sequences[account_id])

    async def licence(self, *extensions: str) -> None:
        """Have the catalog say what the brand may use."""
        self.sequences["licence"] += 1
        await self.tell(licence_news(*extensions, sequence=self.sequences["licence"]))

    async def installation(
        self, state: str = "installed", *, uninstall_id: str | None = None, **changes: Any
    ) -> None:
        """Have the installation service tell of `smtp-relay`."""
        if uninstall_id is not None:
            began = self.uninstallations.setdefault(uninstall_id, utc_now())
            changes |= {"uninstall_id": uninstall_id, "began": began}
        self.sequences["installation"] += 1
        # After what the licence has brought.
        sequence = self.sequences["installation"] + 1
        await self.tell(installation_news(state, sequence=sequence, **changes))

    async def refusal(self, message: Message) -> str:
        return (await self.refused(message)).reason

    async def follow(self) -> int:
        return await follow_entitlements(self.database.writer, 100)

    async def mark(self) -> int:
        return await mark_concerned(self.database.writer, 100)

    async def judge(self) -> int:
        await self.mark()
        return await judge_accounts(self.database.writer, 100)

    async def close(self, rhythm: Rhythm = QUIET) -> None:
        """Run the jobs that rotations go by until they find nothing more."""
        for _ in range(50):
            if not (await self.follow() or await self.judge() or await self.look(rhythm)):
                return
        raise AssertionError("The jobs find the same again and again.")

    async def count(self) -> int:
        return await count_engines(self.database.writer, timedelta(0), 100)

    async def clear(self) -> int:
        return await clear_uninstalled(self.database.writer, 100)

    async def look(self, rhythm: Rhythm = QUIET) -> int:
        return await close_rollouts(self.database.writer, PROOF_KEY, rhythm, 100)

    async def events(self) -> list[Event]:
        """Return what was announced since this was last asked."""
        return [one for _, one in await self.announced()]

    async def rollout_events(self) -> list[RolloutChanged]:
        return [one for one in await self.events() if isinstance(one, RolloutChanged)]

    async def holding(self, engine_id: str = "e1", account_id: str = "mail") -> Holding:
        key = HoldingKey("acme", engine_id, account_id)
        async with self.database.writer.connect() as connection:
            return (await load_holdings(connection, [key]))[key]

    async def published(self, type_: str) -> list[Published]:
        """Return events of a type as they go on the wire."""
        return [one for one in await published(self.database.writer) if one.type == type_]

    async def bindings(self) -> list[tuple[str, bool, str | None]]:
        """Return what was announced of holdings since it was last asked: engine, allowed, why."""
        return [
            (one.engine_id, one.allowed, one.reason)
            for one in await self.events()
            if isinstance(one, HoldingChanged)
        ]

    async def proof(self, account_id: str = "mail", version: int = 2) -> bytes:
        query = select(ProofRow.bundle).where(
            ProofRow.brand_id == "acme",
            ProofRow.account_id == account_id,
            ProofRow.version == version,
        )
        async with self.database.writer.connect() as connection:
            return (await connection.scalars(query)).one()


def told(events: Sequence[RolloutChanged]) -> list[tuple[str, dict[str, str]]]:
    """Return the events' names with whom they wait for, and why."""
    return [(type(one).__name__, {leg.engine_id: leg.why for leg in one.waiting}) for one in events]
