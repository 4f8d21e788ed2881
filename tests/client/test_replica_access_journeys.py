"""What a replica decides is what the access service decides, through whatever a brand does."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

from keyturn_client import Backend, Replica, ReplicaSettings
from keyturn_client.http import Http
from keyturn_client.replica.asking import Question
from keyturn_contracts.access import (
    DisableExtension,
    EnableExtension,
    GrantAccess,
    GrantAccessToAll,
    NewMember,
    RegisterMembers,
    RemoveMembers,
    RevokeAccess,
)
from keyturn_contracts.credential_vault import DeleteAccount
from keyturn_contracts.message import Command, CommandApplied, Part
from keyturn_contracts.rights import Action, Code, Decision, Way

from tests.client.test_replica_journeys import asking, licence
from tests.client.world import Brand, applied, given_brand
from tests.faults.installing import SLUG, install, uninstall
from tests.waiting import eventually

MEMBERS = ("ada", "bob", "root", "eve")
ACCOUNTS = ("mail", "unknown")
EXTENSIONS = ("smtp-relay", SLUG)
LONG = timedelta(seconds=60)


class Questions(Part):
    questions: Sequence[Question]


class Answer(Part):
    allowed: bool
    code: Code
    way: Way | None = None
    facts: tuple[str, ...]


class Answers(Part):
    decisions: list[Answer]


QUESTIONS = [
    *(
        Question(member=member, action=action, account_id=account_id)
        for member, action, account_id in product(MEMBERS, get_args(Action), ACCOUNTS)
    ),
    *(Question(member=member, extension=one) for member, one in product(MEMBERS, EXTENSIONS)),
]


async def service_says(http: Http) -> list[Answer]:
    found = await http.post("access", "/v1/decisions", Questions(questions=QUESTIONS))
    return Answers.model_validate(found).decisions


def replica_says(replica: Replica) -> list[Answer]:
    return [_answer(replica, one) for one in QUESTIONS]


def _answer(replica: Replica, asked: Question) -> Answer:
    if asked.account_id is not None:
        found = replica.decide(asked.member, asked.action, asked.account_id)
        facts = replica.explain(asked.member, asked.action, asked.account_id)
    else:
        found = replica.decide_extension(asked.member, asked.extension or "")
        facts = replica.explain_extension(asked.member, asked.extension or "")
    return Answer(allowed=found.allowed, code=found.code, way=found.way, facts=facts)


async def both_say_the_same(http: Http, replica: Replica) -> None:
    async def is_so() -> bool:
        return await service_says(http) == replica_says(replica)

    await eventually(is_so)


def settings_of(brand: Brand) -> ReplicaSettings:
    return ReplicaSettings(kafka=brand.world.kafka("engine"), brand=brand.name)


async def do(brand: Brand, command: Command) -> CommandApplied:
    return applied(await brand.backend.ask(command))


async def until_owned_by(replica: Replica, member: str) -> None:
    await eventually(lambda: replica.decide(member, "share", "mail").allowed)


async def until_the_service_allows(replica: Replica, member: str) -> None:
    async def is_so() -> bool:
        return (await replica.ask(member, "use", "mail", within=LONG)).allowed

    await eventually(is_so)


async def test_a_replica_and_the_service_decide_alike_about_an_account(brand: Brand) -> None:
    async with asking(brand) as http, Replica(settings_of(brand)) as replica:

        async def after(command: Command, member: str = "bob") -> Decision:
            """Do it, and return what a member may then, by nothing older than its outcome."""
            outcome = await do(brand, command)
            return await replica.ask(member, "use", "mail", at_least=outcome, within=LONG)

        assert replica.decide("ada", "use", "mail").code == "account_unknown"
        await brand.add_account("mail", "first")
        await until_owned_by(replica, "ada")
        assert replica.decide("bob", "use", "mail").code == "no_access"
        await both_say_the_same(http, replica)

        assert (await after(GrantAccess(account_id="mail", members=("bob",)))).way == "user"
        assert (await after(RevokeAccess(account_id="mail", members=("bob",)))).code == "no_access"
        assert (await after(GrantAccessToAll(account_id="mail"))).way == "everyone"
        await both_say_the_same(http, replica)
        assert (await after(RevokeAccess(account_id="mail", all=True))).code == "no_access"

        until = datetime.now(UTC) + timedelta(seconds=3)
        found = await after(GrantAccess(account_id="mail", members=("bob",), until=until))
        assert found.allowed or datetime.now(UTC) >= until
        await eventually(lambda: replica.decide("bob", "use", "mail").code == "no_access")
        assert datetime.now(UTC) >= until
        await both_say_the_same(http, replica)


async def test_a_replica_and_the_service_decide_alike_about_members(brand: Brand) -> None:
    people = [NewMember(member_id=one, role="administrator") for one in ("ada", "root")]
    await brand.add_account("mail", "first")
    async with asking(brand) as http, Replica(settings_of(brand)) as replica:
        await until_owned_by(replica, "ada")
        await do(brand, GrantAccessToAll(account_id="mail"))
        outcome = await do(brand, RegisterMembers(members=(*people, NewMember(member_id="bob"))))
        found = await replica.ask("eve", "use", "mail", at_least=outcome, within=LONG)
        assert found.code == "not_a_member"
        assert replica.decide("bob", "use", "mail").way == "everyone"
        await both_say_the_same(http, replica)

        outcome = await do(brand, RemoveMembers(members=("bob",)))
        found = await replica.ask("bob", "use", "mail", at_least=outcome, within=LONG)
        assert found.code == "not_a_member"

        # The only owner leaves: the administrators that are left become owners.
        root = brand.world.backend_settings(brand.name, subject="root")
        async with Backend(root) as backend:
            outcome = applied(await backend.ask(RemoveMembers(members=("ada",))))
        found = await replica.ask("ada", "delete", "mail", at_least=outcome, within=LONG)
        assert found.code == "not_a_member"
        await until_owned_by(replica, "root")
        assert "root is an owner of mail." in replica.explain("root", "delete", "mail")


async def test_a_replica_and_the_service_decide_alike_about_licences_and_deletion(
    brand: Brand,
) -> None:
    await brand.add_account("mail", "first")
    async with asking(brand) as http, Replica(settings_of(brand)) as replica:
        await until_owned_by(replica, "ada")
        await licence(brand)
        await eventually(lambda: replica.decide("ada", "use", "mail").code == "not_licensed")
        assert replica.decide("ada", "delete", "mail").allowed
        await both_say_the_same(http, replica)
        await licence(brand, "smtp-relay")
        await eventually(lambda: replica.decide("ada", "use", "mail").allowed)

        outcome = await do(brand, DeleteAccount(account_id="mail"))
        found = await replica.ask("ada", "use", "mail", at_least=outcome, within=LONG)
        assert found.code == "account_deleted"
        await both_say_the_same(http, replica)
    async with asking(brand) as http, Replica(settings_of(brand)) as replica:
        assert replica.decide("ada", "use", "mail").code == "account_deleted"
        await both_say_the_same(http, replica)


async def test_a_replica_and_the_service_decide_alike_about_a_third_partys_extension(
    brand: Brand,
) -> None:
    async with asking(brand) as http, Replica(settings_of(brand)) as replica:

        async def after(command: Command, member: str) -> Decision:
            outcome = await do(brand, command)
            return await replica.ask_extension(member, SLUG, at_least=outcome, within=LONG)

        assert replica.decide_extension("bob", SLUG).code == "not_installed"
        await install(brand.world, brand)
        await eventually(
            lambda: replica.decide_extension("bob", SLUG).way == "enabled_for_everyone"
        )
        await both_say_the_same(http, replica)

        off = DisableExtension(extension=SLUG, all=True)
        assert (await after(off, "bob")).code == "not_enabled"
        assert (await after(EnableExtension(extension=SLUG, members=("bob",)), "bob")).allowed
        assert replica.decide_extension("eve", SLUG).code == "not_enabled"
        await both_say_the_same(http, replica)

        await uninstall(brand)
        await eventually(lambda: replica.decide_extension("bob", SLUG).code == "not_installed")
        await both_say_the_same(http, replica)


async def test_where_the_copy_cannot_say_the_service_is_asked(brand: Brand) -> None:
    await brand.add_account("mail", "first")
    engine = await brand.register_engine()
    for who in (engine, brand.world.backend_settings(brand.name)):
        # Too small for what there is, so it knows nothing about access itself.
        settings = settings_of(brand).model_copy(update={"max_kept": 1, "ask_as": who})
        async with Replica(settings) as replica:
            await do(brand, GrantAccess(account_id="mail", members=("carol",)))
            await eventually(lambda: replica.is_overfull)

            # The service hears of a new engine a moment later than who registered it.
            await until_the_service_allows(replica, "ada")
            outcome = await do(brand, GrantAccess(account_id="mail", members=("bob",)))
            found = await replica.ask("bob", "use", "mail", at_least=outcome, within=LONG)
            assert found == Decision(allowed=True, code="allowed", way="user")
            outcome = await do(brand, RevokeAccess(account_id="mail", members=("bob",)))
            found = await replica.ask("bob", "use", "mail", at_least=outcome, within=LONG)
            assert found.code == "no_access"
            found = await replica.ask("bob", "use", "mail", at_least=outcome.revision, within=LONG)
            assert found.code == "no_access"
            found = await replica.ask_extension("bob", "smtp-relay", within=LONG)
            assert found.way == "licence"
            assert replica.decide("ada", "use", "mail").code == "copy_too_old"


async def test_who_asks_with_what_changed_nothing_is_answered_by_the_service(brand: Brand) -> None:
    await brand.add_account("mail", "first")
    settings = settings_of(brand).model_copy(
        update={"ask_as": brand.world.backend_settings(brand.name)}
    )
    async with Replica(settings) as replica:
        await until_owned_by(replica, "ada")
        grant = GrantAccess(account_id="mail", members=("bob",))
        first, same = await do(brand, grant), await do(brand, grant)
        partly = await do(brand, GrantAccess(account_id="mail", members=("bob", "eve")))

        assert (same.changed, same.events, partly.not_applied) == (False, (), 1)
        assert (first.revision or 0) <= (same.revision or 0) <= (partly.revision or 0)
        for outcome in (same, partly):
            found = replica.decide("bob", "use", "mail", at_least=outcome)
            assert found.code == "copy_too_old"
            found = await replica.ask("bob", "use", "mail", at_least=outcome, within=LONG)
            assert found == Decision(allowed=True, code="allowed", way="user")


async def test_two_brands_with_the_same_names_see_nothing_of_each_other(brand: Brand) -> None:
    folder = brand.folder / "twin"
    folder.mkdir()
    async with given_brand(brand.world, folder) as twin, Replica(settings_of(twin)) as replica:
        await brand.add_account("mail", "first")
        await twin.add_account("mail", "second")
        await until_owned_by(replica, "ada")
        kept = replica.kept

        async with Replica(settings_of(brand)) as ours:
            outcome = await do(brand, GrantAccess(account_id="mail", members=("bob",)))
            found = await ours.ask("bob", "use", "mail", at_least=outcome, within=LONG)
            assert found.allowed
        outcome = applied(await twin.backend.ask(GrantAccess(account_id="mail", members=("eve",))))
        assert (await replica.ask("eve", "use", "mail", at_least=outcome, within=LONG)).allowed
        assert replica.decide("bob", "use", "mail").code == "no_access"
        assert replica.kept == kept + 1
