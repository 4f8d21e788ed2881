"""An uninstallation on a real database, from what it touches to what is left of it."""

import pytest
from keyturn_contracts.installation import ImpactChanged
from sqlalchemy import text

from tests.installation import given
from tests.installation.given import LOUD, RELAY
from tests.installation.world import World, make_overdue, told


async def begin(world: World) -> str:
    """Install, connect an account, begin the uninstallation, and return its id."""
    await world.apply(given.install())
    await world.hear(given.account("a1"), given.engine("e1", (LOUD, 2, 3)))
    await world.apply(given.uninstall(revision=await world.impact_revision()))
    event = (await world.events())[-1]
    assert event.uninstallation is not None
    return event.uninstallation.uninstall_id


async def test_it_is_complete_when_each_participant_has_said_so(world: World) -> None:
    uninstall_id = await begin(world)

    await world.cleared(LOUD, uninstall_id, accounts=1)
    await world.cleared(LOUD, uninstall_id, tasks=2, done=False)
    await world.cleared(LOUD, uninstall_id, grants=4, done=False)
    await world.cleared(LOUD, uninstall_id, tasks=3)
    await world.cleared(LOUD, uninstall_id, grants=9)

    events = await world.events()
    assert told(events) == [
        *4 * [("UninstallStarted", LOUD, "uninstalling")],
        ("ExtensionUninstalled", LOUD, "uninstalled"),
    ]
    seen = [one.uninstallation for one in events]
    assert [
        (one.waiting, one.accounts, one.tasks, one.grants) for one in seen if one is not None
    ] == [
        (("workflow", "access"), 1, 0, 0),
        (("workflow", "access"), 1, 2, 0),
        (("workflow", "access"), 1, 2, 4),
        (("access",), 1, 3, 4),
        ((), 1, 3, 9),
    ]
    assert (events[-1].domains, events[-1].hosts, events[-1].added) == ((), (), ())


async def test_the_order_in_which_participants_speak_does_not_matter(world: World) -> None:
    uninstall_id = await begin(world)

    await world.cleared(LOUD, uninstall_id, accounts=1, tasks=3, grants=2)

    assert told(await world.events()) == [("ExtensionUninstalled", LOUD, "uninstalled")]


async def test_accounts_that_go_meanwhile_announce_nothing(world: World) -> None:
    await begin(world)

    await world.hear(given.account_deleted("a1"))

    assert await world.events() == []


async def test_what_changed_since_somebody_looked_is_refused(world: World) -> None:
    await world.apply(given.install())
    await world.hear(given.account("a1"))
    seen = await world.impact_revision()
    await world.hear(given.account("a2", creator="bob"))

    refused = await world.refusal(given.uninstall(revision=seen))

    assert refused.reason == "impact_changed"
    today = ImpactChanged.model_validate(refused.details).revision
    assert today != seen
    assert (await world.apply(given.uninstall(revision=today))).changed


async def test_an_account_beyond_those_that_are_named_is_seen_too(world: World) -> None:
    """One for another of the same user, at equal counts."""
    await world.apply(given.install())
    await world.hear(*(given.account(f"a{one:03}") for one in range(101)))
    seen = await world.impact_revision()
    await world.hear(given.account_deleted("a100"), given.account("a101"))

    refused = await world.refusal(given.uninstall(revision=seen))

    assert refused.reason == "impact_changed"


async def test_what_is_different_in_an_account_that_is_not_named_is_seen_too(world: World) -> None:
    await world.apply(given.install())
    await world.hear(*(given.account(f"a{one:03}") for one in range(101)))
    revisions = [await world.impact_revision()]
    by_bob = given.account("a100", creator="bob")
    for changed in (by_bob, by_bob.model_copy(update={"name": "Post"})):
        await world.hear(changed)
        revisions.append(await world.impact_revision())

    assert len(set(revisions)) == 3


@pytest.mark.parametrize("accounts", [1, 101], ids=["named", "not named"])
async def test_what_becomes_of_an_account_changes_nothing_of_what_is_touched(
    world: World, accounts: int
) -> None:
    """Of thousands of accounts one is always being rotated or verified."""
    await world.apply(given.install())
    some = [given.account(f"a{one:03}") for one in range(accounts)]
    await world.hear(*some)
    seen = await world.impact_revision()

    for changes in ({"version": 2}, {"state": "needs_attention"}, {"settings": {"host": "x"}}):
        await world.hear(some[-1].model_copy(update=changes))

    assert (await world.apply(given.uninstall(revision=seen))).changed


async def test_workflows_exchanged_for_as_many_others_are_seen(world: World) -> None:
    await world.apply(given.install())
    await world.hear(given.engine("e1", (LOUD, 2, 3)), given.engine("e2", (LOUD, 1, 1)))
    seen = await world.impact_revision()
    await world.hear(given.engine("e1", (LOUD, 2, 3), fingerprint="0123456789abcdef"))

    refused = await world.refusal(given.uninstall(revision=seen))

    assert refused.reason == "impact_changed"


async def test_an_added_domain_for_another_is_refused(world: World) -> None:
    await world.apply(given.install())
    await world.apply(given.add("pictures.example.org"))
    seen = await world.impact_revision()
    await world.apply(given.add("films.example.org"))
    await world.apply(given.remove("pictures.example.org"))

    refused = await world.refusal(given.uninstall(revision=seen))

    assert refused.reason == "impact_changed"


async def test_the_same_news_once_more_changes_no_revision(world: World) -> None:
    await world.apply(given.install())
    told = [world.news(one) for one in (given.account("a1"), given.engine("e1", (LOUD, 2, 3)))]
    await world.tell(*told)
    seen = await world.impact_revision()

    await world.tell(*told)

    assert await world.impact_revision() == seen


async def test_how_much_engines_use_belongs_to_what_is_seen(world: World) -> None:
    await world.apply(given.install())
    revisions = [await world.impact_revision()]
    for engine in (
        given.engine("e1", (LOUD, 2, 3)),
        given.engine("e1", (LOUD, 2, 4), (RELAY, 1, 1)),
        given.engine("e1", (LOUD, 2, 4), is_retired=True),
    ):
        await world.hear(engine)
        revisions.append(await world.impact_revision())

    assert revisions[3] == revisions[0]
    assert len(set(revisions)) == 3


async def test_what_other_extensions_have_does_not(world: World) -> None:
    await world.apply(given.install())
    before = await world.impact_revision()

    await world.hear(given.account("a2", RELAY), given.engine("e1", (RELAY, 2, 3)))

    assert await world.impact_revision() == before


async def test_a_late_one_is_named_and_completes_all_the_same(world: World) -> None:
    uninstall_id = await begin(world)
    await world.cleared(LOUD, uninstall_id, accounts=1, tasks=3)
    await world.events()

    await make_overdue(world)
    await world.follow()
    [overdue] = await world.events()
    await world.follow()
    await world.cleared(LOUD, uninstall_id, grants=2)
    [done] = await world.events()

    assert type(overdue).__name__ == "UninstallOverdue"
    assert overdue.uninstallation is not None
    assert overdue.uninstallation.waiting == ("access",)
    assert told([done]) == [("ExtensionUninstalled", LOUD, "uninstalled")]
    assert done.uninstallation is not None
    assert done.uninstallation.overdue


async def test_before_its_deadline_nobody_is_late(world: World) -> None:
    await begin(world)

    await world.follow()

    assert await world.events() == []
    [(cause, is_ahead)] = await world.rows(
        "SELECT cause, due_at > now() + interval '14 minutes' FROM due WHERE brand_id = :brand"
    )
    assert (cause, is_ahead) == ("deadline", True)


async def test_installing_again_starts_afresh_with_a_new_consent(world: World) -> None:
    await world.apply(given.install())
    await world.apply(given.add("pictures.example.org"))
    await world.apply(given.uninstall(force=True))
    await world.cleared(LOUD, await _id(world), accounts=0, tasks=0, grants=0)
    last = (await world.events())[-1]

    await world.apply(given.install())

    [event] = await world.events()
    assert (event.added, event.uninstallation) == ((), None)
    assert event.domains_revision == last.domains_revision + 1
    assert await world.rows(
        "SELECT count(*), count(DISTINCT id) FROM consent WHERE brand_id = :brand"
    ) == [(2, 2)]


async def test_a_clearance_of_the_last_time_does_not_complete_the_next_one(world: World) -> None:
    first = await begin(world)
    await world.cleared(LOUD, first, accounts=1, tasks=3, grants=2)
    await world.apply(given.install())
    await world.apply(given.uninstall(force=True))
    await world.events()

    await world.cleared(LOUD, first, accounts=1, tasks=3, grants=2)
    assert await world.events() == []

    second = await _id(world)
    assert second != first
    await world.cleared(LOUD, second, accounts=0, tasks=0, grants=0)
    assert told(await world.events()) == [("ExtensionUninstalled", LOUD, "uninstalled")]


async def test_what_is_suspended_can_be_uninstalled_and_stays_so(world: World) -> None:
    await world.apply(given.install())
    await world.licence(RELAY)
    await world.apply(given.uninstall(force=True))
    await world.cleared(LOUD, await _id(world), accounts=0, tasks=0, grants=0)
    await world.events()

    await world.licence(RELAY, LOUD)

    assert [one.extension for one in await world.events() if one.extension == LOUD] == []


async def test_a_clearance_that_comes_before_its_uninstallation_counts(world: World) -> None:
    """The command is applied again after a crash, and the news of its effect is here already."""
    command = world.asks(given.uninstall(force=True))
    await world.apply(given.install())
    await world.cleared(LOUD, command.id.id, accounts=0, tasks=0, grants=0)
    await world.events()

    await world.answers(command)
    await world.follow()

    assert told(await world.events()) == [
        ("UninstallStarted", LOUD, "uninstalling"),
        ("ExtensionUninstalled", LOUD, "uninstalled"),
    ]


async def _id(world: World) -> str:
    async with world.database.writer.connect() as connection:
        found = await connection.scalar(
            text(
                "SELECT uninstallation->>'uninstall_id' FROM installation"
                " WHERE brand_id = 'acme' AND extension = 'loud-mail'"
            )
        )
    assert isinstance(found, str)
    return found
