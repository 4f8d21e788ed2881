"""What a brand's list of members leaves of the roles that an issuer vouches for."""

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from keyturn_contracts.access import MemberChanged, MemberRegistered, MemberRemoved, MemberRole
from keyturn_contracts.actor import Role
from keyturn_contracts.message import Event
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.decisions import Decision, Refused
from shared.messaging.envelope import Asked, News
from shared.messaging.handlers import Aggregate, Handlers, Listener
from shared.messaging.members import Listed, Person, narrowed, save_members
from tests.batches import asked, news
from tests.messaging import toy
from tests.messaging.log import Log, answers, totals
from tests.messaging.toy import Add, Counter, decide_add


def decide(counter: Counter | None, asked: Asked[Add]) -> Decision[Counter, str]:
    if "administrator" not in asked.actor.roles:
        return Refused("not_an_administrator", "Only administrators add.")
    return decide_add(counter, asked)


NONE: set[Role] = set()
HANDLERS = Handlers(
    Aggregate(lock=toy.lock_counters, save=toy.save_counters).command(Add, decide),
    Listener(MemberChanged, save_members),
)


def registered(
    member: str, role: MemberRole, sequence: int = 1, brand: str = "acme"
) -> News[Event]:
    event = MemberRegistered(member_id=member, role=role, state="registered")
    return news(event, sequence, brand=brand)


def removed(member: str, sequence: int) -> News[Event]:
    event = MemberRemoved(member_id=member, role="administrator", state="removed")
    return news(event, sequence)


@dataclass
class Brand:
    log: Log

    def tell(self, *contents: News[Event]) -> None:
        self.log.tell(*contents)

    async def add(
        self, by: str, *roles: Role, brand: str = "acme", engine: str | None = None
    ) -> str | None:
        """Have somebody add; return what came of it, or None while it is held."""
        command = asked(
            Add(counter_id="mail", amount=1), by=by, roles=roles, brand=brand, engine=engine
        )
        self.log.append(command)
        await self.log.poll()
        return await self.log.outcome(command)


@pytest.fixture
def brand(engine: AsyncEngine) -> Brand:
    return Brand(Log(engine, handlers=HANDLERS))


async def test_without_a_list_the_issuer_says_what_a_person_is(brand: Brand) -> None:
    brand.tell(registered("eve", "administrator", brand="other"))

    assert await brand.add("ada", "administrator") == "applied"
    assert await brand.add("ada", "member") == "not_an_administrator"


@pytest.mark.parametrize(
    ("vouched", "listed", "outcome"),
    [
        (["administrator"], "administrator", "applied"),
        (["administrator"], "member", "not_an_administrator"),
        (["member"], "administrator", "not_an_administrator"),
        (["administrator", "operator"], "member", "not_an_administrator"),
    ],
)
async def test_of_the_list_and_the_issuer_the_lesser_holds(
    brand: Brand, vouched: Iterable[Role], listed: MemberRole, outcome: str
) -> None:
    brand.tell(registered("ada", listed))

    assert await brand.add("ada", *vouched) == outcome


@pytest.mark.parametrize(
    ("vouched", "said", "left"),
    [
        ({"administrator"}, "administrator", {"administrator"}),
        ({"administrator"}, "member", {"member"}),
        ({"administrator", "operator"}, "member", {"member", "operator"}),
        ({"administrator", "member"}, "member", {"member"}),
        ({"member"}, "administrator", {"member"}),
        ({"operator"}, "member", {"operator"}),
        ({"administrator", "member"}, "absent", NONE),
        ({"administrator"}, None, {"administrator"}),
    ],
)
def test_an_administrator_whom_the_list_calls_a_member_is_one(
    vouched: set[Role], said: Listed | None, left: set[Role]
) -> None:
    actor = asked(Add(counter_id="mail", amount=1), by="ada", roles=vouched).actor
    listed: dict[Person, Listed] = {} if said is None else {("acme", "ada"): said}

    assert narrowed(actor, listed).roles == left


async def test_who_is_not_on_the_list_is_waited_for_and_then_has_no_rights(
    brand: Brand, engine: AsyncEngine
) -> None:
    brand.tell(registered("ada", "administrator"))

    assert await brand.add("bob", "administrator") is None
    done = await brand.log.later(10)

    assert list(answers(done).values()) == ["not_an_administrator"]
    assert await totals(engine) == {}


async def test_news_of_a_registration_lets_a_command_through_that_waits_for_it(
    brand: Brand, engine: AsyncEngine
) -> None:
    brand.tell(registered("ada", "administrator"))
    assert await brand.add("bob", "administrator") is None

    brand.tell(registered("bob", "administrator"))
    await brand.log.poll()

    assert await totals(engine) == {"mail": 1}


async def test_a_removal_ends_the_rights_and_older_news_does_not_bring_them_back(
    brand: Brand,
) -> None:
    brand.tell(registered("ada", "administrator"), removed("ada", 2))
    brand.tell(registered("ada", "administrator"))

    assert await brand.add("ada", "administrator") is None


async def test_one_brands_list_says_nothing_of_another(brand: Brand, engine: AsyncEngine) -> None:
    brand.tell(registered("ada", "member"))

    assert await brand.add("ada", "administrator", brand="other") == "applied"
    assert await totals(engine, "other") == {"mail": 1}


async def test_engines_are_on_no_list(brand: Brand) -> None:
    brand.tell(registered("ada", "administrator"))

    # Not waited for: an engine's registration is no member's.
    assert await brand.add("ada", engine="e1") == "not_an_administrator"
