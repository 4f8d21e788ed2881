"""Owners as the access service announces them: waited for, believed, and forgotten."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keyturn_contracts.access import (
    GrantChanged,
    Level,
    MemberRegistered,
    MemberRemoved,
    MemberRole,
)
from keyturn_contracts.credential_vault import (
    DeleteAccount,
    EditAccount,
    VerifyAccount,
)
from keyturn_contracts.message import Command
from keyturn_contracts.rights import Facts, Grant, owners

from services.credential_vault.store.keys import key_of_account
from services.credential_vault.store.ownership import load_facts, load_some_owners
from shared.messaging.batch import apply_batch
from shared.messaging.envelope import News
from tests.batches import asked, news
from tests.credential_vault.given import granted
from tests.credential_vault.vault import Vault

SECRET = {"secret": "hunter2-canary"}
RENAME = EditAccount(account_id="mail", name="Post")
DELETE = DeleteAccount(account_id="mail")


def registered(member: str, role: MemberRole = "administrator") -> MemberRegistered:
    return MemberRegistered(member_id=member, role=role, state="registered")


def removed(member: str) -> MemberRemoved:
    return MemberRemoved(member_id=member, role="administrator", state="removed")


async def given_list(vault: Vault, brand: str = "acme") -> None:
    """Have the brand's list be known: of its members none can be made an owner."""
    people = ("ada", "bob", "cid", "dan", "eve", "zoe")
    await vault.hear(*(registered(one, "member") for one in people), brand=brand)


async def test_who_added_an_account_owns_it_once_access_has_said_so(vault: Vault) -> None:
    added = await vault.adding(SECRET, {"host": "mail.example.com"}, scheme="signing-secret")
    await vault.deliver(added)
    await vault.trials.start_due()
    await vault.trials.finish()
    assert await vault.outcome(added) == "applied"

    rename = asked(RENAME)
    assert (await vault.waited(rename)).reason == "not_an_owner"
    await vault.hear(granted())

    assert await vault.outcome(rename) == "applied"


async def test_an_administrator_who_is_being_made_an_owner_is_waited_for(vault: Vault) -> None:
    await given_list(vault)
    await vault.given_account()
    rename = asked(RENAME, by="bob", roles=("administrator",))

    refused = await vault.waited(rename)
    await vault.hear(granted(member="bob"))

    assert refused.message.endswith("Ask ada, who owns it.")
    assert await vault.outcome(rename) == "applied"
    assert await vault.outcome(asked(DELETE)) == "applied", "the first owner is one still"


async def test_without_a_list_whoever_is_being_made_an_owner_is_waited_for(vault: Vault) -> None:
    await vault.given_account()
    rename = asked(RENAME, by="bob")

    refused = await vault.waited(rename)
    await vault.hear(granted(member="bob"))

    assert refused.message.endswith("Ask ada, who owns it.")
    assert await vault.outcome(rename) == "applied"


async def test_a_stranger_keeps_no_account_waiting(vault: Vault) -> None:
    await given_list(vault)
    await vault.given_account()
    await vault.hear(granted(member="bob", level="user"), granted(member="*", level="user"))
    strangers = [asked(RENAME, by=one) for one in ("bob", "eve", "*")]
    owners_own = asked(RENAME)

    batch = await vault.deliver(*strangers, owners_own)

    answers = dict(batch.answers)
    assert batch.held == []
    assert [getattr(answers[one.id], "reason", "") for one in strangers] == ["not_an_owner"] * 3
    assert getattr(answers[owners_own.id], "changed", False) is True


async def test_ownership_that_was_taken_away_is_gone_for_the_creator_too(vault: Vault) -> None:
    await given_list(vault)
    await vault.given_account()
    await vault.hear(granted(member="bob"), granted(is_ended=True))

    assert await vault.outcome(asked(RENAME)) == "not_an_owner"
    assert await vault.outcome(asked(RENAME, by="bob")) == "applied"


async def test_an_owner_who_becomes_a_user_is_an_owner_no_more(vault: Vault) -> None:
    await given_list(vault)
    await vault.given_account()
    await vault.hear(granted(member="bob"), granted(level="user"))

    assert await vault.outcome(asked(RENAME)) == "not_an_owner"


async def test_a_removed_owner_can_do_nothing_at_once(vault: Vault) -> None:
    """Their grant's end has not been heard, and nobody else owns the account."""
    await vault.given_account()
    await vault.hear(registered("eve"), removed("ada"))
    commands: list[Command] = [RENAME, VerifyAccount(account_id="mail"), DELETE]
    asked_for = [asked(one, roles=("administrator",)) for one in commands]

    batch = await vault.deliver(*asked_for, await vault.rotating({"secret": "next"}))

    assert batch.held == []
    assert [getattr(one, "reason", "") for _, one in batch.answers] == ["not_an_owner"] * 4
    # Nor is anybody sent to them.
    refused = await vault.waited(asked(DELETE, by="eve", roles=("administrator",)))
    assert "Nobody owns it now" in refused.message


async def test_who_comes_back_to_the_list_owns_what_was_not_taken_away(vault: Vault) -> None:
    await vault.given_account()
    await vault.hear(removed("ada"))
    assert await vault.outcome(asked(RENAME)) == "not_an_owner"

    await vault.hear(registered("ada", "member"))

    assert await vault.outcome(asked(DELETE)) == "applied"


async def test_an_owner_of_another_brands_account_of_that_name_has_no_right(vault: Vault) -> None:
    await given_list(vault)
    await given_list(vault, brand="other")
    await vault.given_account()
    await vault.given_account(by="bob", brand="other")

    assert await vault.outcome(asked(RENAME, by="bob")) == "not_an_owner"
    assert await vault.outcome(asked(RENAME, brand="other")) == "not_an_owner"
    assert await vault.outcome(asked(RENAME, by="bob", brand="other")) == "applied"
    assert await vault.outcome(asked(RENAME)) == "applied"


async def test_a_grant_with_an_end_holds_for_what_the_broker_took_before_it(vault: Vault) -> None:
    await given_list(vault)
    await vault.given_account()
    until = datetime.now(UTC) + timedelta(seconds=30)
    await vault.hear(granted(member="bob", until=until))

    at_the_end = asked(RENAME, by="bob", at=until)
    before = asked(RENAME, by="bob", at=until - timedelta(milliseconds=1))

    assert await vault.outcome(at_the_end) == "not_an_owner"
    assert await vault.outcome(before) == "applied"


async def test_a_refusal_names_three_owners_of_many(vault: Vault) -> None:
    await given_list(vault)
    await vault.given_account(by="zoe")
    await vault.hear(*(granted(member=one) for one in ("dan", "bob", "ada", "cid")))

    answer = await vault.answer(asked(DELETE, by="eve"))

    assert answer is not None
    assert getattr(answer, "message", "") == (
        "Only an owner may delete mail, and eve is none. "
        "Ask one of its owners, such as ada or bob or cid."
    )


async def test_each_of_a_batch_is_judged_by_who_asks_and_of_what(vault: Vault) -> None:
    await given_list(vault)
    for owner in ("ada", "bob"):
        await vault.given_account(f"of-{owner}", by=owner)
    tried = [
        asked(EditAccount(account_id=f"of-{owner}", name=by), by=by)
        for owner in ("ada", "bob")
        for by in ("ada", "bob", "eve")
    ]

    answers = dict((await vault.deliver(*tried)).answers)

    outcomes = [answers[one.id].outcome for one in tried]
    assert outcomes == ["applied", "refused", "refused", "refused", "applied", "refused"]


# Whatever news comes, in whichever order.

MEMBERS = ("ada", "bob")
HOUR = timedelta(hours=1)
_numbers = count()


@dataclass(frozen=True)
class Told:
    """One piece of news about a member's grant, and its place among those about it."""

    member: str
    level: Level
    lasts: timedelta | None
    is_ended: bool
    place: tuple[int, int]

    @property
    def until(self) -> datetime | None:
        return None if self.lasts is None else BEGINNING + self.lasts

    def news(self, brand: str) -> News[GrantChanged]:
        event = granted(
            member=self.member, level=self.level, until=self.until, is_ended=self.is_ended
        )
        epoch, sequence = self.place
        return news(event, sequence, brand=brand, epoch=epoch)


BEGINNING = datetime.now(UTC)
WHAT: list[tuple[Level, timedelta | None, bool]] = [
    ("owner", None, False),
    ("owner", HOUR, False),
    ("owner", -HOUR, False),
    ("owner", None, True),
    ("user", None, False),
]
PLACES = [(epoch, sequence) for epoch in (1, 2) for sequence in (1, 2, 3)]


@st.composite
def histories(draw: st.DrawFn) -> list[Told]:
    """Draw all that was ever told of each member, in any order, some of it twice."""
    told = [
        Told(member, *draw(st.sampled_from(WHAT)), place) for member in MEMBERS for place in PLACES
    ]
    left = draw(st.sets(st.integers(0, len(told) - 1), max_size=8))
    repeated = draw(st.lists(st.sampled_from(told), max_size=3))
    kept = [one for n, one in enumerate(told) if n not in left]
    return draw(st.permutations([*kept, *(one for one in repeated if one in kept)]))


def expected(history: list[Told], listed: set[str] | None, at: datetime) -> frozenset[str]:
    newest = {one.member: one for one in sorted(history, key=lambda one: one.place)}
    grants = {
        member: Grant(one.level, one.until) for member, one in newest.items() if not one.is_ended
    }
    facts = Facts(
        has_list=listed is not None,
        members=dict.fromkeys(listed or (), "member"),
        grants={"mail": grants},
    )
    return owners(facts, "mail", at)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    history=histories(),
    size=st.sampled_from([1, 3, 100]),
    listed=st.none() | st.sets(st.sampled_from(MEMBERS)),
)
async def test_in_whichever_order_grants_are_heard_of_the_newest_say_who_owns_an_account(
    vault: Vault, history: list[Told], size: int, listed: set[str] | None
) -> None:
    brand = f"brand-{next(_numbers)}"
    people = [
        registered(one) if one in listed else removed(one) for one in MEMBERS if listed is not None
    ]
    async with vault.engine.begin() as connection:
        await apply_batch(connection, vault.handlers, [news(one, 1, brand=brand) for one in people])
        for first in range(0, len(history), size):
            batch = [one.news(brand) for one in history[first : first + size]]
            await apply_batch(connection, vault.handlers, batch)

    key = key_of_account(brand, "mail")
    who_asks = [asked(RENAME, by=one, brand=brand) for one in MEMBERS]
    async with vault.engine.connect() as connection:
        named = await load_some_owners(connection, [key])
        facts = (await load_facts(connection, {key: who_asks}, {key}))[key]

    at = datetime.now(UTC)
    assert owners(facts, "mail", at) == expected(history, listed, at)
    assert frozenset(named.get(key, ())) == expected(history, listed, at)
