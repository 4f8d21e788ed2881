"""Licences and installations suspend what uses an extension, and resume it as it was."""

from asyncio import create_task
from dataclasses import replace

import pytest
from keyturn_contracts.message import CommandApplied
from keyturn_contracts.workflow import NotAllowed
from sqlalchemy import text

from services.workflow.jobs.following import follow
from services.workflow.rules.access import WHY, may_use
from services.workflow.rules.account import Account
from services.workflow.rules.entitlement import NOTHING, Barred, Entitlement, why_barred
from services.workflow.rules.holding import Holding, standing_of
from services.workflow.rules.usage import Usage, judge
from tests.workflow.books import MAIL, given_access
from tests.workflow.given import fetched, installation_news, licence_news, workflow
from tests.workflow.rotating import given_rollout, waits_for
from tests.workflow.test_races import begin, until_waiting
from tests.workflow.world import World

LICENSED = Entitlement(is_licensed=True)


# Rules.


@pytest.mark.parametrize(
    ("entitlement", "reason"),
    [
        (NOTHING, "not_licensed"),
        (LICENSED, "not_installed"),
        (replace(LICENSED, is_implicit=True), None),
        (replace(LICENSED, state="installed"), None),
        (replace(LICENSED, state="suspended"), "not_licensed"),
        (replace(LICENSED, state="uninstalling"), "not_installed"),
        (replace(LICENSED, state="uninstalled"), "not_installed"),
        (replace(LICENSED, state="suspended", is_implicit=True), None),
        (replace(LICENSED, state="installed", is_licensed=False), "not_licensed"),
        (replace(LICENSED, state="uninstalling", is_licensed=False), "not_licensed"),
    ],
)
def test_what_is_licensed_may_be_used_unless_its_installation_says_no(
    entitlement: Entitlement, reason: Barred | None
) -> None:
    assert why_barred(entitlement) == reason


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        (None, "account_unknown"),
        (replace(MAIL, state="deleted", barred="not_installed"), "account_deleted"),
        (replace(MAIL, barred="not_licensed"), "not_licensed"),
        (replace(MAIL, barred="not_installed"), "not_installed"),
        (MAIL, "no_access"),
    ],
)
def test_of_several_reasons_the_one_that_holds_for_most_is_told(
    account: Account | None, reason: NotAllowed
) -> None:
    access = given_access(MAIL)
    assert may_use(account, "bob", access) == reason
    assert may_use(account, "ada", access) == (None if reason == "no_access" else reason)
    assert WHY[reason].endswith(".")
    assert judge(account, "bob", Usage(2), access).reason is not None
    assert standing_of(Holding(count=2), account).reason == reason


# On record.


async def test_a_licence_that_shrinks_suspends_and_one_that_grows_back_resumes(
    world: World,
) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a"), workflow("w2", "a", owner="bob")))
    before = await world.holding()
    await world.bindings()

    await world.licence("another")
    await world.close()
    shrunk = await world.holding()
    suspended = await world.bindings()
    await world.licence("another", "smtp-relay")
    await world.close()

    assert suspended == [("e1", False, "not_licensed")]
    assert (shrunk.count, shrunk.digest, shrunk.allowed_count) == (2, before.digest, 0)
    assert await world.bindings() == [("e1", True, None)]
    assert await world.holding() == replace(before, suspensions=before.suspensions + 2)


async def test_an_installation_that_ends_suspends_and_a_new_one_resumes(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    await world.bindings()

    seen: list[object] = []
    for state in ("installed", "suspended", "installed", "uninstalling", "uninstalled"):
        await world.installation(state, uninstall_id="u1" if "un" in state else None)
        await world.close()
        seen += [(allowed, reason) for _, allowed, reason in await world.bindings()]
    await world.installation()
    await world.close()

    assert seen == [
        (False, "not_licensed"),
        (True, None),
        (False, "not_installed"),
    ]
    assert await world.bindings() == [("e1", True, None)]


async def test_what_is_saved_while_it_is_barred_is_suspended_and_its_sender_told_why(
    world: World,
) -> None:
    engine = await world.engine()
    await world.account()
    await world.licence("another")
    await world.close()

    outcome = await world.answer(engine.save(workflow("w1", "a")))

    assert isinstance(outcome, CommandApplied)
    [verdict] = outcome.verdicts
    assert (verdict.verdict, verdict.reason) == ("suspended", "not_licensed")
    assert verdict.message == WHY["not_licensed"]
    await world.licence("smtp-relay")
    await world.close()
    assert (await world.holding()).allowed_count == 1


async def test_an_account_that_is_heard_of_before_the_licence_is_barred_until_it_comes(
    world: World,
) -> None:
    await world.licence("another")
    await world.close()
    engine = await world.engine()
    await world.tell(engine.save(workflow("w1", "a")))
    await world.account()
    await world.close()

    barred = (await world.holding()).announced.reason
    await world.licence("smtp-relay")
    await world.close()

    assert barred == "not_licensed"
    assert (await world.holding()).announced.is_allowed


async def test_other_domains_change_nothing(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    await world.installation()
    await world.close()
    await world.bindings()

    await world.installation(domains_revision=2)

    assert (await world.follow(), await world.judge()) == (0, 0)
    assert await world.bindings() == []


async def test_older_news_changes_nothing(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    await world.tell(licence_news("smtp-relay", sequence=50))
    await world.tell(licence_news("another", sequence=49))
    await world.tell(installation_news(sequence=50))
    await world.tell(installation_news("uninstalled", sequence=49, uninstall_id="u1"))
    await world.close()

    assert (await world.holding()).allowed_count == 1


async def test_a_rotation_under_way_goes_on_without_the_licence(world: World) -> None:
    """Who holds credentials is a leg, whatever may be used."""
    engine = await given_rollout(world)
    await world.licence("another")
    await world.close()

    assert await world.rollout_events() == [], "It waits for the same."
    await world.tell(engine.confirm(2, {"w1": ("a",)}, holds=False, receipt=None))
    assert await waits_for(world) is None


async def test_an_engine_that_has_only_bindings_is_no_leg_while_they_are_barred(
    world: World,
) -> None:
    await given_rollout(world)
    second = await world.engine("e2")
    await world.tell(second.save(workflow("w9", "a")))
    assert await waits_for(world) == {"e1": "unconfirmed", "e2": "unconfirmed"}

    await world.licence("another")

    assert await waits_for(world) == {"e1": "unconfirmed"}


# Two transactions at once.


async def test_who_follows_waits_for_an_account_that_is_being_written(world: World) -> None:
    """It would not see it yet, and would leave it as the old licence has it."""
    engine = await world.engine()
    await world.tell(engine.save(workflow("w1", "a")))
    async with world.database.writer.begin() as other:
        await begin(other, world.news())
        await world.licence("another")
        following = create_task(world.follow())
        await until_waiting(world, following)
    assert await following == 1
    await world.close()

    assert (await world.holding()).announced.reason == "not_licensed"


async def test_an_account_that_is_written_while_somebody_follows_waits_for_them(
    world: World,
) -> None:
    engine = await world.engine()
    await world.tell(engine.save(workflow("w1", "a")))
    await world.licence("another")
    async with world.database.writer.begin() as other:
        assert await follow(other, 100) == 1
        telling = create_task(world.account())
        await until_waiting(world, telling)
    await telling
    await world.close()

    assert (await world.holding()).announced.reason == "not_licensed"


async def test_news_that_comes_while_somebody_follows_is_followed_next(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    await world.licence("another")
    async with world.database.writer.begin() as other:
        assert await follow(other, 100) == 1
        telling = create_task(world.licence("smtp-relay"))
        await until_waiting(world, telling)
    await telling
    await world.close()

    assert (await world.holding()).announced.is_allowed


async def test_accounts_of_other_brands_and_extensions_are_left_alone(world: World) -> None:
    await world.account()
    await world.account("chat", extension="slack")
    await world.licence("slack", "smtp-relay")
    await world.close()
    await world.licence("slack")

    await world.follow()

    query = text("SELECT id, barred FROM account WHERE brand_id = 'acme' AND is_to_judge")
    async with world.database.writer.connect() as connection:
        found = (await connection.execute(query)).all()
    assert [tuple(one) for one in found] == [("mail", "not_licensed")]


async def test_a_confirmation_counts_though_the_account_is_barred(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")), fetched(version=1))
    await world.licence("another")
    await world.close()

    outcome = await world.answer(engine.confirm(1, {"w1": ("a",)}))

    assert isinstance(outcome, CommandApplied)
