"""Whatever happens in whatever order, a remembered answer is the database's at its revision."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import product

from anyio import from_thread, to_thread
from hypothesis import HealthCheck, settings
from hypothesis import given as property_of
from hypothesis import strategies as st
from keyturn_contracts.installation import InstallationState
from keyturn_contracts.message import Command, CommandApplied, Event

from services.access.queries.facts import Wanted, load_facts
from services.access.remembering.memory import Question
from services.access.remembering.reading import decide_one
from shared.http.brand import connection_for
from tests.access import given
from tests.access.given import RELAY
from tests.access.remembering import Process, own_redis, process
from tests.access.world import World

ACCOUNTS = ("mail", "chat")
MEMBERS = ("ada", "bob")
BRANDS = ("acme", "other")
QUESTIONS = tuple(
    Question(member, action, account, None)
    for member, account, action in product((*MEMBERS, "root"), ACCOUNTS, ("use", "share"))
)
PROCESSES = ("one", "two")


@st.composite
def deeds(draw: st.DrawFn) -> Command | Event:
    account, member = draw(st.sampled_from(ACCOUNTS)), draw(st.sampled_from(MEMBERS))
    state: InstallationState = draw(st.sampled_from(("installed", "suspended")))
    possible: tuple[Command | Event, ...] = (
        given.grant(member, account=account),
        given.revoke(member, account=account),
        given.grant_all(account=account),
        given.revoke(account=account),
        given.register(given.member("root", "administrator"), member),
        given.remove(member),
        given.installation(RELAY, party="first", state=state),
    )
    return draw(st.sampled_from(possible))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("do"), st.sampled_from(BRANDS), deeds()),
        st.tuples(st.just("look"), st.sampled_from(PROCESSES), st.none()),
        st.tuples(st.just("hear"), st.sampled_from(PROCESSES), st.none()),
        st.tuples(st.just("ask"), st.sampled_from(PROCESSES), st.none()),
    ),
    min_size=5,
    max_size=25,
)


@dataclass
class Run:
    """Two brands, what their last commands' senders were told, and two processes."""

    worlds: dict[str, World]
    processes: dict[str, Process]
    told: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BRANDS, 0))

    async def step(self, verb: str, who: str, deed: Command | Event | None) -> None:
        """Do it; after a change that its sender was told of, ask everybody who knows nothing."""
        match verb:
            case "do" if isinstance(deed, Command):
                [outcome] = await self.worlds[who].answers(self.worlds[who].asks(deed))
                if isinstance(outcome, CommandApplied) and outcome.revision is not None:
                    self.told[who] = outcome.revision
                    for one in self.processes.values():
                        await self.ask_blindly(one, who)
            case "do" if isinstance(deed, Event):
                await self.worlds[who].hear(deed)
            case "look":
                await self.processes[who].look()
            case "hear":
                self.processes[who].deciding.memory.doubt(BRANDS)
                await self.processes[who].deciding.watch.look_for(BRANDS)
            case _:
                await self.ask(self.processes[who])

    async def ask(self, process: Process) -> None:
        """Ask with the newest revision: then it is the database's answer of now, to the letter.

        News of others has no revision that anybody is told; so a look comes before.
        """
        await process.look()
        for brand in BRANDS:
            truth = await self.truth(brand)
            for at_least in (self.told[brand], 0):
                found = await process.answer(*QUESTIONS, brand=brand, at_least=at_least)
                assert found.revision >= at_least
                for question in QUESTIONS:
                    assert found.decisions[question].body == truth[question], (brand, question)

    async def ask_blindly(self, process: Process, brand: str) -> None:
        """Ask without a look: never older than what was told, whatever the process knows."""
        found = await process.answer(*QUESTIONS, brand=brand, at_least=self.told[brand])
        truth = await self.truth(brand)
        for question in QUESTIONS:
            assert found.decisions[question].body == truth[question], (brand, question)

    async def truth(self, brand: str) -> dict[Question, bytes]:
        wanted = Wanted(accounts={(one.account_id or "", one.member) for one in QUESTIONS})
        async with connection_for(self.worlds[brand].context, brand) as connection:
            known = await load_facts(connection, brand, wanted)
        at = datetime.now(UTC)
        return {one: decide_one(known.facts, one, at).body for one in QUESTIONS}


async def test_what_is_remembered_is_what_the_database_says(world: World) -> None:
    other = World(world.database, world.context, brand="other")
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(own_redis())
        processes = {
            name: await stack.enter_async_context(process(world, redis.client()))
            for name in PROCESSES
        }
        for brand in (world, other):
            await brand.hear(given.installation(RELAY, party="first"))
            for one in ACCOUNTS:
                await brand.account(one, "root", extension=RELAY)
        run = Run({"acme": world, "other": other}, processes)

        async def check(steps: Sequence[tuple[str, str, Command | Event | None]]) -> None:
            for verb, who, deed in steps:
                await run.step(verb, who, deed)
            for one in processes.values():
                await run.ask(one)

        @settings(
            max_examples=15,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
            database=None,
        )
        @property_of(STEPS)
        def whatever_happens(steps: list[tuple[str, str, Command | Event | None]]) -> None:
            from_thread.run(partial(check, steps))

        await to_thread.run_sync(whatever_happens)
