"""Whatever happens, each living account of a brand with an administrator is owned.

Unless all its owners were never on the list: a week long they are waited for.

Members come and go, access is given, taken away and runs out, accounts come, go and are
uninstalled, and each job runs at any moment, a row or two at a time.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from keyturn_contracts.access import Level, MemberRole
from keyturn_contracts.message import Command, CommandApplied, Event
from keyturn_contracts.rights import Facts, Grant, owners
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.access.handlers import handlers
from services.access.jobs.clearing import clear_uninstalled
from services.access.jobs.ending import end_access
from services.access.jobs.expiring import expire_grants
from services.access.jobs.gathering import NeverListed
from services.access.jobs.owning import own_accounts
from services.access.tables import Base
from shared.messaging.batch import apply_batch
from tests.access import given
from tests.access.conftest import fill
from tests.access.given import LOUD, STRICT
from tests.access.world import let_a_week_pass
from tests.batches import Database, asked, news, service_database
from tests.running_stack import RunningStack

T = TypeVar("T")
Work = Callable[[AsyncEngine, int], Awaitable[int]]

EXAMPLES = 25
STEPS = 25
PEOPLE = ("ada", "bob", "root")
ACCOUNTS = {"mail": LOUD, "news": LOUD, "chat": STRICT}
JOBS: tuple[Work, ...] = (
    own_accounts,
    expire_grants,
    NeverListed().end,
    end_access,
    clear_uninstalled,
)

people = st.sampled_from(PEOPLE)
some_people = st.lists(people, min_size=1, max_size=3, unique=True)
accounts = st.sampled_from(sorted(ACCOUNTS))
levels: st.SearchStrategy[Level] = st.sampled_from(("user", "owner"))
roles: st.SearchStrategy[MemberRole] = st.sampled_from(("administrator", "member"))
creators = st.sampled_from((*PEOPLE, "nobody/ever"))

_brands = count()


class Owning(RuleBasedStateMachine):
    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.brand = f"brand{next(_brands)}"
        self.sequences: Counter[str] = Counter()
        self.steps = 0
        self.uninstallations = 0
        self.is_going = {LOUD: False, STRICT: False}
        for extension in self.is_going:
            self.hear(given.installation(extension))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def hear(self, event: Event) -> None:
        key = str(event.key(self.brand))
        self.sequences[key] += 1
        told = news(event, self.sequences[key], brand=self.brand)

        async def hear() -> None:
            async with self.database.writer.begin() as connection:
                assert (await apply_batch(connection, handlers, [told])).not_applied == []

        self.run(hear())

    def ask(self, command: Command) -> None:
        """Have whoever may do it do it; what nobody may do, or has to wait, is as good here."""

        async def ask(by: str) -> bool:
            turn = asked(command, by=by, brand=self.brand, roles=("administrator",))
            async with self.database.writer.begin() as connection:
                batch = await apply_batch(connection, handlers, [turn])
            return any(isinstance(one, CommandApplied) for _, one in batch.answers)

        async def ask_each() -> None:
            for one in PEOPLE:
                if await ask(one):
                    return

        self.run(ask_each())

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        async with self.database.writer.connect() as connection:
            rows = await connection.execute(text(statement), {"brand": self.brand})
            return [tuple(one) for one in rows]

    @initialize()
    def begin(self) -> None:
        """Have accounts from the start: without one there is little to happen."""
        for account, extension in ACCOUNTS.items():
            self.hear(given.account(account, extension))
        self.follow()

    # Who is on the list.

    @rule(named=st.dictionaries(people, roles, min_size=1))
    def register(self, named: dict[str, MemberRole]) -> None:
        self.ask(given.register(*(given.member(*one) for one in sorted(named.items()))))

    @rule(members=some_people)
    def remove(self, members: list[str]) -> None:
        self.ask(given.remove(*members))

    # What they are given.

    @rule(members=some_people, account=accounts, level=levels, ends=st.booleans())
    def give(self, members: list[str], account: str, level: Level, *, ends: bool) -> None:
        until = datetime.now(UTC) + timedelta(days=1) if ends else None
        self.ask(given.grant(*members, account=account, level=level, until=until))

    @rule(members=some_people, account=accounts)
    def take_away(self, members: list[str], account: str) -> None:
        self.ask(given.revoke(*members, account=account))

    @rule(account=accounts)
    def let_time_pass(self, account: str) -> None:
        async def expire() -> None:
            async with self.database.writer.begin() as connection:
                await connection.execute(
                    text(
                        "UPDATE access_grant SET until = '2001-01-01' WHERE brand_id = :brand"
                        " AND account_id = :account AND until IS NOT NULL"
                    ),
                    {"brand": self.brand, "account": account},
                )

        self.run(expire())

    @rule()
    def let_a_week_pass_since_the_list_began(self) -> None:
        self.run(let_a_week_pass(self.database.writer, self.brand))

    # What others announce.

    @rule(account=accounts, creator=creators)
    def add(self, account: str, creator: str) -> None:
        self.hear(given.account(account, ACCOUNTS[account], creator=creator))

    @rule(account=accounts)
    def delete(self, account: str) -> None:
        self.hear(given.account_deleted(account, ACCOUNTS[account]))

    @rule(extension=st.sampled_from((LOUD, STRICT)))
    def uninstall_or_install_again(self, extension: str) -> None:
        if self.is_going[extension]:
            self.follow()
            self.hear(given.installation(extension))
        else:
            self.uninstallations += 1
            self.hear(
                given.installation(
                    extension, state="uninstalling", uninstall_id=f"u{self.uninstallations}"
                )
            )
        self.is_going[extension] = not self.is_going[extension]

    # What the service does by itself.

    @rule(job=st.sampled_from(JOBS), most=st.integers(1, 2))
    def do_some_work(self, job: Work, most: int) -> None:
        async def work() -> int:
            return await job(self.database.writer, most)

        self.run(work())

    def follow(self) -> None:
        """Have all jobs run until they find nothing."""

        async def work() -> int:
            return sum([await job(self.database.writer, 100) for job in JOBS])

        while self.run(work()):
            pass

    @invariant()
    def nobody_is_without_an_owner_for_good(self) -> None:
        """Have the jobs run after every third step, and look."""
        self.steps += 1
        if self.steps % 3:
            return
        self.follow()
        alive, facts, has_administrator = self.run(self._facts())
        ever_listed = {id_ for (id_,) in self.run(self.rows(_EVER_LISTED))}
        waits = bool(self.run(self.rows(_GATHERS)))
        now = datetime.now(UTC)
        for account in alive:
            own = {
                member
                for member, grant in facts.grants.get(account, {}).items()
                if grant.level == "owner" and grant.holds_at(now)
            }
            owned = bool(owners(facts, account, now))
            awaited = waits and bool(own - ever_listed)
            assert owned or awaited or not has_administrator, account
        assert self.run(self.rows(_LEFT_OVER)) == []

    async def _facts(self) -> tuple[list[str], Facts, bool]:
        """Return living accounts of what is installed, and who has what by rows of the tables."""
        facts = Facts(has_list=bool(await self.rows(_HAS_LIST)))
        for id_, role in await self.rows(_MEMBERS):
            facts.members[id_] = role
        for account, member, level, until in await self.rows(_GRANTS):
            facts.grants.setdefault(account, {})[member] = Grant(level, until)
        alive = [id_ for id_, extension in await self.rows(_ALIVE) if not self.is_going[extension]]
        return alive, facts, "administrator" in facts.members.values()


_HAS_LIST = "SELECT 1 FROM brand WHERE brand_id = :brand AND has_list"
_MEMBERS = "SELECT id, role FROM member WHERE brand_id = :brand AND state = 'registered'"
_EVER_LISTED = "SELECT id FROM member WHERE brand_id = :brand"
_GATHERS = "SELECT 1 FROM brand WHERE brand_id = :brand AND gathers_until > now()"
_GRANTS = (
    "SELECT account_id, member, level, until FROM access_grant"
    " WHERE brand_id = :brand AND state = 'granted'"
)
_ALIVE = "SELECT id, extension FROM account WHERE brand_id = :brand AND NOT is_deleted"
_LEFT_OVER = (
    "SELECT account_id, one.member FROM access_grant AS one"
    " JOIN account ON account.brand_id = one.brand_id AND account.id = account_id"
    " LEFT JOIN member ON member.brand_id = one.brand_id AND member.id = one.member"
    " WHERE one.brand_id = :brand AND one.state = 'granted'"
    " AND (is_deleted OR until <= now() OR member.state = 'removed')"
)
"""Grants that nothing can justify any more."""


def test_each_living_account_of_a_brand_with_an_administrator_has_an_owner(
    stack: RunningStack,
) -> None:
    async def open_database(exits: AsyncExitStack) -> Database:
        return await exits.enter_async_context(
            service_database(stack, "access", Base.metadata, fill)
        )

    exits = AsyncExitStack()
    with asyncio.Runner() as loop:
        opened = loop.run(open_database(exits))

        class Prepared(Owning):
            runner = loop
            database = opened

        try:
            run_state_machine_as_test(
                Prepared,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )
        finally:
            loop.run(exits.aclose())
