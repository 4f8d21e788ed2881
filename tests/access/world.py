"""What a service test does: tell, have the jobs run, and read what came of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from keyturn_contracts.access import EnablementChanged, GrantChanged, MemberChanged
from keyturn_contracts.actor import Role
from keyturn_contracts.message import Command, CommandApplied, CommandRefused, Event
from keyturn_contracts.registry import EVENT_BY_TYPE
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.access.handlers import handlers
from services.access.jobs.all import access_jobs
from services.access.settings import AccessSettings
from shared.messaging.batch import Batch, Message
from shared.messaging.context import Context
from shared.messaging.envelope import Asked
from tests.access import given
from tests.access.given import LOUD
from tests.batches import Database, asked, clear_outbox, deliver, news, published


@dataclass
class World:
    """One brand's access, in a database with a twin."""

    database: Database
    context: Context
    brand: str = "acme"
    sequences: Counter[str] = field(default_factory=Counter[str])
    """Of news; the twin's began at 1."""

    async def tell(self, *messages: Message) -> Batch:
        return await deliver(self.database.writer, handlers, *messages)

    def news(self, event: Event, *, brand: str | None = None) -> Message:
        """Return news that is newer than any before it."""
        key = event.key(brand or self.brand)
        self.sequences[str(key)] += 1
        return news(event, 100 + self.sequences[str(key)], brand=brand or self.brand)

    async def hear(self, *events: Event) -> None:
        """Have other services announce something."""
        await self.tell(*map(self.news, events))

    def asks(
        self,
        command: Command,
        *,
        by: str = "root",
        roles: Sequence[Role] = ("administrator",),
        at: datetime | None = None,
    ) -> Asked[Command]:
        return asked(command, by=by, brand=self.brand, roles=roles, at=at)

    async def answers(self, *messages: Message) -> list[CommandApplied | CommandRefused]:
        """Tell, and return the outcomes in the order of the commands."""
        batch = await self.tell(*messages)
        assert batch.held == []
        return [outcome for _, outcome in batch.answers]

    async def apply(self, command: Command, *, by: str = "root") -> CommandApplied:
        [outcome] = await self.answers(self.asks(command, by=by))
        assert isinstance(outcome, CommandApplied), outcome
        return outcome

    async def refusal(self, command: Command, *, by: str = "root") -> CommandRefused:
        [outcome] = await self.answers(self.asks(command, by=by))
        assert isinstance(outcome, CommandRefused), outcome
        return outcome

    async def refusal_of_engine(self, command: Command) -> CommandRefused:
        """Return why an engine's command, signed by itself, was refused."""
        [outcome] = await self.answers(asked(command, brand=self.brand, engine="e1"))
        assert isinstance(outcome, CommandRefused), outcome
        return outcome

    async def waits(self, command: Command, *, by: str = "root") -> None:
        """Tell it, and find it held: it names something whose news has not come."""
        batch = await self.tell(self.asks(command, by=by))
        assert (len(batch.held), batch.answers) == (1, [])

    async def events(self) -> list[Event]:
        """Return what was announced since this was last asked."""
        found = [
            EVENT_BY_TYPE[one.headers["ce_type"]].model_validate_json(one.value)
            for one in await published(self.database.writer)
            if one.headers["ce_type"] in EVENT_BY_TYPE
        ]
        await clear_outbox(self.database.writer)
        return found

    async def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        async with self.database.writer.connect() as connection:
            rows = await connection.execute(text(statement), {"brand": self.brand} | parameters)
            return [tuple(row) for row in rows]

    async def change(self, statement: str, **parameters: Any) -> None:
        """Do to the database what nothing else in a test can do."""
        async with self.database.writer.begin() as connection:
            await connection.execute(text(statement), {"brand": self.brand} | parameters)

    async def account(self, account_id: str = "mail", *owners: str, extension: str = LOUD) -> None:
        """Have an account that these own, as if its creator had been made an owner long ago."""
        await self.hear(given.account(account_id, extension))
        await self.change(
            "UPDATE account SET is_created = true, is_to_own = false"
            " WHERE brand_id = :brand AND id = :account",
            account=account_id,
        )
        for owner in owners:
            await self.change(
                "INSERT INTO access_grant (brand_id, account_id, member, level, state, how, by,"
                " since) VALUES (:brand, :account, :owner, 'owner', 'granted', 'created', :owner,"
                " '2026-01-01T00:00Z')",
                account=account_id,
                owner=owner,
            )

    async def has_a_waiter(self) -> bool:
        """Tell whether somebody in this database waits for another's lock."""
        return bool(
            await self.rows(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock'"
            )
        )

    async def follow(self) -> None:
        """Run all jobs until they find nothing more."""
        jobs = access_jobs(self.context, AccessSettings())
        for _ in range(50):
            if not sum([await job.run() for job in jobs]):
                return
        raise AssertionError("The jobs find the same again and again.")

    async def has(self, account_id: str = "mail") -> dict[Any, Any]:
        """Return what members, or everyone, have of an account that has not been ended."""
        rows = await self.rows(
            "SELECT member, level FROM access_grant WHERE brand_id = :brand"
            " AND account_id = :account AND state = 'granted'",
            account=account_id,
        )
        return dict(rows)


def told(events: Sequence[Event]) -> list[tuple[str, str, str]]:
    """Return the events' names, whom they are about, and what those have or are now."""
    return [(type(one).__name__, *_said(one)) for one in events]


async def let_a_week_pass(writer: AsyncEngine, brand: str) -> None:
    """Have the time be over in which the brand's list comes together, if it has begun."""
    statement = (
        "UPDATE brand SET gathers_until = now()"
        " WHERE brand_id = :brand AND gathers_until IS NOT NULL"
    )
    async with writer.begin() as connection:
        await connection.execute(text(statement), {"brand": brand})


def _said(event: Event) -> tuple[str, str]:
    match event:
        case MemberChanged():
            return event.member_id, event.role if event.state == "registered" else event.state
        case GrantChanged():
            state = event.level if event.state == "granted" else str(event.why_ended)
            return f"{event.account_id}/{event.member}", state
        case EnablementChanged():
            return f"{event.extension}/{event.member}", event.why_ended or event.state
        case _:
            return "", ""
