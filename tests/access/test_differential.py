"""Service, memory and replica answer as the oracle, whatever happens, in two brands.

People of both brands do what they may and may not, accounts and extensions come and go, grants run
out, messages arrive twice, replicas start anew from a compacted topic. After each step the jobs
run, and every question is asked: of the service when it has to look and when it remembers, and of
each brand's replica. All answers are to be the oracle's, as are refusals of what people do.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from keyturn_client.replica.access import AccessCopy
from keyturn_client.replica.installations import Installations
from keyturn_client.wire import Read, Record
from keyturn_contracts.access import EVERYONE, Level, MemberRole
from keyturn_contracts.actor import Role
from keyturn_contracts.installation import InstallationState
from keyturn_contracts.message import Command, CommandRefused, Event
from keyturn_contracts.registry import EVENT_BY_TYPE
from keyturn_contracts.rights import decide, decide_extension

from services.access.handlers import handlers
from services.access.jobs.clearing import clear_uninstalled
from services.access.jobs.ending import end_access
from services.access.jobs.expiring import expire_grants
from services.access.jobs.gathering import NeverListed
from services.access.jobs.owning import own_accounts
from services.access.tables import Base
from shared.messaging.batch import Message, apply_batch
from tests.access import given
from tests.access.conftest import fill
from tests.access.given import LOUD, RELAY
from tests.access.http import Client, serving
from tests.access.oracle import Answer, Oracle
from tests.access.world import let_a_week_pass
from tests.batches import (
    Database,
    asked,
    clear_outbox,
    news,
    published,
    service_database,
)
from tests.client.replicas import announced, read
from tests.running_stack import RunningStack
from tests.waiting import eventually

T = TypeVar("T")

EXAMPLES = 25
STEPS = 30
VOUCHED: dict[str, tuple[Role, ...]] = {
    "ada": ("administrator", "member"),
    "root": ("administrator", "member"),
    "bob": ("member",),
}
ADMINISTRATORS = frozenset(one for one, has in VOUCHED.items() if "administrator" in has)
ACCOUNTS = {"mail": LOUD, "relay": RELAY}
PARTIES = {LOUD: "third", RELAY: "first"}
JOBS = (own_accounts, expire_grants, NeverListed().end, end_access, clear_uninstalled)
QUESTIONS = [
    *(
        {"member": member, "account_id": account, "action": action}
        for member in VOUCHED
        for account in ACCOUNTS
        for action in ("use", "share")
    ),
    *({"member": member, "extension": extension} for member in VOUCHED for extension in PARTIES),
]
SOON = timedelta(milliseconds=150)

people = st.sampled_from(sorted(VOUCHED))
WHO_MAY = ""
askers = st.one_of(people, st.just(WHO_MAY))
"""Somebody, who may or may not, or as often somebody who may."""
some_people = st.lists(people, min_size=1, max_size=3, unique=True)
accounts = st.sampled_from(sorted(ACCOUNTS))
extensions = st.sampled_from(sorted(PARTIES))
levels: st.SearchStrategy[Level] = st.sampled_from(("user", "owner"))
roles: st.SearchStrategy[MemberRole] = st.sampled_from(("administrator", "member"))
ends = st.sampled_from((None, SOON, timedelta(days=1)))
which = st.integers(0, 1)

_brands = count()


class Replica:
    """What an engine of the brand knows, by the announcements of all brands."""

    def __init__(self, brand: str) -> None:
        self.installations = Installations(brand)
        self.access = AccessCopy(brand, self.installations.facts, 1000)

    def hear(self, records: Sequence[Read]) -> None:
        self.installations.hear(records)
        self.access.hear(records)

    def answer(self, question: dict[str, str], at: datetime) -> Answer:
        facts, member = self.access.facts, question["member"]
        if "extension" in question:
            said = decide_extension(facts, member, question["extension"])
        else:
            action: Any = question["action"]
            said = decide(facts, member, action, question["account_id"], at)
        return said.allowed, said.way or said.code


@dataclass
class Brand:
    name: str
    oracle: Oracle = field(default_factory=lambda: Oracle(ADMINISTRATORS))
    sequences: Counter[str] = field(default_factory=Counter[str])
    uninstallations: int = 0
    replica: Replica = field(init=False)

    def __post_init__(self) -> None:
        self.replica = Replica(self.name)

    def administrator(self) -> str:
        roles = self.oracle.roles
        heads = [one for one in ADMINISTRATORS if not roles or roles.get(one) == "administrator"]
        return min(heads, default="root")

    def listed_head(self) -> str:
        """Return who may ask about everybody, if their issuer calls them an administrator."""
        roles = self.oracle.roles or {}
        return min((one for one in roles if roles[one] == "administrator"), default="root")

    def owner(self, account: str) -> str:
        owners = self.oracle.owners(account, datetime.now(UTC))
        return min(owners, default=self.administrator())


class Differential(RuleBasedStateMachine):
    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]
    client: ClassVar[Client]

    def __init__(self) -> None:
        super().__init__()
        self.brands = [Brand(f"brand{next(_brands)}") for _ in range(2)]
        self.log: dict[str, Read] = {}
        """The newest announcement of each key, as a compacted topic keeps it."""
        self.untold: list[Read] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    # How things are told.

    async def deliver(self, message: Message, times: int) -> list[Any]:
        answers: list[Any] = []
        for _ in range(times):
            async with self.database.writer.begin() as connection:
                batch = await apply_batch(connection, handlers, [message])
            assert batch.held == []
            answers += [outcome for _, outcome in batch.answers]
        return answers

    def hear(self, brand: Brand, event: Event, times: int = 1) -> None:
        key = str(event.key(brand.name))
        brand.sequences[key] += 1
        told = news(event, brand.sequences[key], brand=brand.name)
        self.run(self.deliver(told, times))
        record = announced(event, brand.name, sequence=brand.sequences[key])
        self.untold += [read(record)] * times

    def ask(
        self, brand: Brand, by: str, command: Command, times: int
    ) -> tuple[str | None, datetime]:
        """Return whether it was refused, and when it was asked."""
        turn = asked(command, by=by, brand=brand.name, roles=VOUCHED[by])
        outcomes = self.run(self.deliver(turn, times))
        assert all(type(one) is type(outcomes[0]) for one in outcomes)
        return ("refused" if isinstance(outcomes[0], CommandRefused) else None), turn.at

    @initialize(creator=people, enables=st.booleans())
    def begin(self, creator: str, *, enables: bool) -> None:
        """Have something from the start: with nothing there is little to happen."""
        for at in range(len(self.brands)):
            for extension in PARTIES:
                self.install(at, extension)
            for account in ACCOUNTS:
                self.add(at, account, creator, again=False)
            if enables:
                self.enable_or_disable(
                    at=at, by="root", members=[EVERYONE], extension=LOUD, enables=True, again=False
                )

    # What people do.

    @rule(
        at=which, by=askers, named=st.dictionaries(people, roles, min_size=1), again=st.booleans()
    )
    def register(self, at: int, by: str, named: dict[str, MemberRole], *, again: bool) -> None:
        brand = self.brands[at]
        by = by or brand.administrator()
        command = given.register(*(given.member(*one) for one in sorted(named.items())))
        refused, _ = self.ask(brand, by, command, 1 + again)
        expected = brand.oracle.register(by, dict(named))
        assert refused == expected

    @rule(at=which, by=askers, members=some_people, again=st.booleans())
    def remove(self, at: int, by: str, members: list[str], *, again: bool) -> None:
        brand = self.brands[at]
        by = by or brand.administrator()
        refused, _ = self.ask(brand, by, given.remove(*members), 1 + again)
        assert refused == brand.oracle.remove(by, members)

    @rule(
        at=which,
        by=askers,
        members=some_people,
        account=accounts,
        level=levels,
        lasts=ends,
        again=st.booleans(),
    )
    def grant(
        self,
        *,
        at: int,
        by: str,
        members: list[str],
        account: str,
        level: Level,
        lasts: timedelta | None,
        again: bool,
    ) -> None:
        until = datetime.now(UTC) + lasts if lasts else None
        command = given.grant(*members, account=account, level=level, until=until)
        self._give(
            self.brands[at],
            by,
            command,
            members=members,
            account=account,
            level=level,
            until=until,
            times=1 + again,
        )

    @rule(at=which, by=askers, account=accounts, lasts=ends, again=st.booleans())
    def grant_to_all(
        self, *, at: int, by: str, account: str, lasts: timedelta | None, again: bool
    ) -> None:
        until = datetime.now(UTC) + lasts if lasts else None
        command = given.grant_all(account=account, until=until)
        self._give(
            self.brands[at],
            by,
            command,
            members=[EVERYONE],
            account=account,
            level="user",
            until=until,
            times=1 + again,
        )

    def _give(
        self,
        brand: Brand,
        by: str,
        command: Command,
        *,
        members: list[str],
        account: str,
        level: str,
        until: datetime | None,
        times: int,
    ) -> None:
        if account not in (*brand.oracle.accounts, *brand.oracle.deleted):
            return  # It would wait for the account's news.
        by = by or brand.owner(account)
        refused, when = self.ask(brand, by, command, times)
        if until is not None and until <= when:
            assert refused
            return
        assert refused == brand.oracle.grant(by, account, members, level, until, at=when)

    @rule(
        at=which,
        by=askers,
        members=st.one_of(some_people, st.just([EVERYONE])),
        account=accounts,
        again=st.booleans(),
    )
    def revoke(self, *, at: int, by: str, members: list[str], account: str, again: bool) -> None:
        brand = self.brands[at]
        if account not in (*brand.oracle.accounts, *brand.oracle.deleted):
            return
        by = by or brand.owner(account)
        command = given.revoke(*by_name(members), account=account)
        refused, when = self.ask(brand, by, command, 1 + again)
        assert refused == brand.oracle.revoke(by, account, members, at=when)

    @rule(
        at=which,
        by=askers,
        members=st.one_of(some_people, st.just([EVERYONE])),
        extension=st.just(LOUD),
        enables=st.booleans(),
        again=st.booleans(),
    )
    def enable_or_disable(
        self, *, at: int, by: str, members: list[str], extension: str, enables: bool, again: bool
    ) -> None:
        brand = self.brands[at]
        if extension not in brand.oracle.installed or extension in brand.oracle.suspended:
            return  # It would wait for the installation's news.
        by = by or brand.administrator()
        command = (given.enable if enables else given.disable)(
            *by_name(members), extension=extension
        )
        refused, _ = self.ask(brand, by, command, 1 + again)
        does = brand.oracle.enable if enables else brand.oracle.disable
        assert refused == does(by, extension, members)

    # What others announce.

    @rule(
        at=which,
        account=accounts,
        creator=st.sampled_from((*VOUCHED, "no/body")),
        again=st.booleans(),
    )
    def add(self, at: int, account: str, creator: str, *, again: bool) -> None:
        brand = self.brands[at]
        if account in (*brand.oracle.accounts, *brand.oracle.deleted):
            return
        extension = ACCOUNTS[account]
        self.hear(brand, given.account(account, extension, creator=creator), 1 + again)
        if "/" not in creator:
            brand.oracle.add(account, extension, creator)
        else:
            brand.oracle.accounts[account] = extension

    @rule(at=which, account=accounts, again=st.booleans())
    def delete(self, at: int, account: str, *, again: bool) -> None:
        brand = self.brands[at]
        if account in brand.oracle.accounts:
            self.hear(brand, given.account_deleted(account, ACCOUNTS[account]), 1 + again)
            brand.oracle.delete(account)

    @rule(at=which, extension=extensions)
    def install(self, at: int, extension: str) -> None:
        brand = self.brands[at]
        self._installation(brand, extension, "installed")
        brand.oracle.installed[extension] = PARTIES[extension]
        brand.oracle.suspended.discard(extension)

    @rule(at=which, extension=extensions)
    def shrink_licence(self, at: int, extension: str) -> None:
        brand = self.brands[at]
        if extension in brand.oracle.installed:
            self._installation(brand, extension, "suspended")
            brand.oracle.suspended.add(extension)

    @rule(at=which, extension=st.just(LOUD))
    def uninstall(self, at: int, extension: str) -> None:
        brand = self.brands[at]
        if extension not in brand.oracle.installed:
            return
        brand.uninstallations += 1
        uninstall_id = f"u{brand.uninstallations}"
        self._installation(brand, extension, "uninstalling", uninstall_id)
        self.follow()
        for account in [one for one, of in brand.oracle.accounts.items() if of == extension]:
            self.hear(brand, given.account_deleted(account, extension))
        self._installation(brand, extension, "uninstalled", uninstall_id)
        brand.oracle.uninstall(extension)
        brand.oracle.suspended.discard(extension)

    def _installation(
        self,
        brand: Brand,
        extension: str,
        state: InstallationState,
        uninstall_id: str | None = None,
    ) -> None:
        party = PARTIES[extension]
        self.hear(
            brand,
            given.installation(
                extension,
                party="first" if party == "first" else "third",
                state=state,
                uninstall_id=uninstall_id,
            ),
        )

    @rule()
    def wait_for_what_ends_soon(self) -> None:
        untils = [
            until
            for brand in self.brands
            for _, until in brand.oracle.grants.values()
            if until is not None and until < datetime.now(UTC) + SOON
        ]
        if untils:
            last = max(untils)
            self.run(eventually(lambda: datetime.now(UTC) > last))

    @rule(at=which)
    def let_a_week_pass_since_the_list_began(self, at: int) -> None:
        brand = self.brands[at]
        self.run(let_a_week_pass(self.database.writer, brand.name))
        brand.oracle.let_a_week_pass()

    @rule(at=which)
    def start_a_replica_anew(self, at: int) -> None:
        brand = self.brands[at]
        brand.replica = Replica(brand.name)
        brand.replica.hear(list(self.log.values()))

    # What is to be true.

    def follow(self) -> None:
        async def work() -> int:
            return sum([await job(self.database.writer, 100) for job in JOBS])

        while self.run(work()):
            pass
        self.run(self._announce())

    async def _announce(self) -> None:
        """Have the replicas hear all that was announced since, of both brands."""
        for one in await published(self.database.writer):
            if one.headers["ce_type"] in EVENT_BY_TYPE:
                headers = [(name, text.encode()) for name, text in one.headers.items()]
                record = Record(
                    topic=one.topic, key=one.key.encode(), value=one.value, headers=headers
                )
                self.untold.append(read(record))
        await clear_outbox(self.database.writer)
        self.log.update({str(one.key): one for one in self.untold})
        for brand in self.brands:
            brand.replica.hear(self.untold)
        self.untold = []

    @invariant()
    def all_agree(self) -> None:
        self.follow()
        for brand in self.brands:
            brand.oracle.settle(datetime.now(UTC))
        for brand in self.brands:
            self.run(self._agree(brand))

    async def _agree(self, brand: Brand) -> None:
        # Twice: at first it has to look for what it is asked, and then it remembers.
        answer = await self.client.ask(*QUESTIONS, by=brand.listed_head(), brand=brand.name)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        at = datetime.fromisoformat(body["at"])
        said = [(one["allowed"], one.get("way", one["code"])) for one in body["decisions"]]
        for question, service in zip(QUESTIONS, said, strict=True):
            expected = expect(brand.oracle, question, at)
            assert service == expected, question
            assert brand.replica.answer(question, at) == expected, question
        assert not brand.replica.access.unreadable


def expect(oracle: Oracle, question: dict[str, str], at: datetime) -> Answer:
    if "extension" in question:
        return oracle.may_use(question["member"], question["extension"])
    return oracle.may(question["member"], question["action"], question["account_id"], at)


def by_name(members: Sequence[str]) -> Sequence[str]:
    """Return nobody for everyone: that is how a command says so."""
    return () if members == [EVERYONE] else members


def test_service_memory_replica_and_oracle_agree(stack: RunningStack, tmp_path: Path) -> None:
    async def open_all(exits: AsyncExitStack) -> tuple[Database, Client]:
        database = await exits.enter_async_context(
            service_database(stack, "access", Base.metadata, fill)
        )
        return database, await exits.enter_async_context(
            serving(stack, database, tmp_path, remembers=True)
        )

    exits = AsyncExitStack()
    with asyncio.Runner() as loop:
        opened, served = loop.run(open_all(exits))

        class Prepared(Differential):
            runner = loop
            database = opened
            client = served

        try:
            run_state_machine_as_test(
                Prepared,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    phases=[Phase.generate],
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )
        finally:
            loop.run(exits.aclose())
