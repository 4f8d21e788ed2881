"""A brand's list of members on a real database: who comes, who goes, and that once."""

from keyturn_contracts.access import MAX_REGISTERED, NewMember
from keyturn_contracts.message import CommandRefused

from services.access.handlers import handlers
from services.access.jobs.ending import end_access
from services.access.store.members import ENDED_AT_ONCE
from tests.access import given
from tests.access.world import World, told
from tests.messaging.log import LIMITS, Log


async def test_the_first_registration_begins_the_list_and_announces_each(world: World) -> None:
    outcome = await world.apply(given.register(given.member("root", "administrator"), "ada"))

    assert outcome.changed
    assert told(await world.events()) == [
        ("MemberRegistered", "root", "administrator"),
        ("MemberRegistered", "ada", "member"),
    ]
    assert await world.rows("SELECT has_list FROM brand WHERE brand_id = :brand") == [(True,)]


async def test_from_the_first_on_only_administrators_of_the_list_change_it(world: World) -> None:
    await world.apply(given.register(given.member("root", "administrator"), "ada"))

    for stranger in ("ada", "eve"):
        refused = await world.refusal(given.register("eve"), by=stranger)
        assert refused.reason == "not_an_administrator"


async def test_registering_again_is_harmless_and_says_so(world: World) -> None:
    await world.apply(given.register(given.member("root", "administrator"), "ada"))
    await world.events()

    outcome = await world.apply(given.register("ada"))
    mixed = await world.apply(given.register("ada", "bob"))

    assert (outcome.changed, outcome.not_applied) == (False, 1)
    assert [(one.subject, one.verdict) for one in mixed.verdicts] == [("ada", "unchanged")]
    assert told(await world.events()) == [("MemberRegistered", "bob", "member")]


async def test_names_and_roles_change(world: World) -> None:
    await world.apply(given.register(given.member("root", "administrator"), "ada"))
    await world.events()

    await world.apply(given.register(given.member("ada", "administrator", "Ada")))

    assert told(await world.events()) == [("MemberRegistered", "ada", "administrator")]
    assert (await world.apply(given.register("bob"), by="ada")).changed


async def test_as_many_as_a_message_takes_are_registered_and_removed(world: World) -> None:
    people = [NewMember(member_id=f"m{number:05}") for number in range(MAX_REGISTERED)]
    await world.apply(given.administrators("root"))
    await world.events()

    registered = await world.apply(given.register(*people))
    removed = await world.apply(given.remove(*(one.member_id for one in people)))

    assert (len(registered.events), registered.verdicts) == (100, ())
    assert removed.changed
    assert len(await world.events()) == 2 * MAX_REGISTERED
    assert await world.rows(
        "SELECT state, is_to_end, count(*) FROM member WHERE brand_id = :brand GROUP BY 1, 2"
        " ORDER BY 3"
    ) == [("registered", False, 1), ("removed", True, MAX_REGISTERED)]


async def test_the_last_administrator_is_neither_removed_nor_made_a_member(world: World) -> None:
    await world.apply(given.register(given.member("root", "administrator"), "ada"))

    assert (await world.refusal(given.remove("root"))).reason == "last_administrator"
    assert (await world.refusal(given.register("root"))).reason == "last_administrator"
    assert (await world.apply(given.administrators("ada"))).changed
    assert (await world.apply(given.remove("root"))).changed
    assert (await world.refusal(given.register("bob"))).reason == "not_an_administrator"


async def test_commands_of_one_batch_see_each_other(world: World) -> None:
    outcomes = await world.answers(
        world.asks(given.administrators("root")),
        world.asks(given.register("ada")),
        world.asks(given.remove("ada")),
        world.asks(given.register(given.member("ada", "administrator"))),
        world.asks(given.remove("root"), by="ada"),
        world.asks(given.register("bob")),
    )

    assert [one.outcome for one in outcomes] == ["applied"] * 5 + ["refused"]
    assert told(await world.events())[-2:] == [
        ("MemberRegistered", "ada", "administrator"),
        ("MemberRemoved", "root", "removed"),
    ]


async def test_who_comes_back_after_a_removal_has_nothing_of_before(world: World) -> None:
    """The job that ends it had not come to it yet."""
    await world.account("mail", "ada", "root")
    await world.apply(given.enable("ada"))
    await world.apply(given.administrators("root", "ada"))
    await world.follow()
    await world.apply(given.remove("ada"))
    await world.events()

    await world.apply(given.register("ada"))

    assert told(await world.events()) == [
        ("AccessRevoked", "mail/ada", "member_removed"),
        ("ExtensionDisabled", "loud-mail/ada", "member_removed"),
        ("MemberRegistered", "ada", "member"),
    ]
    assert await world.has("mail") == {"root": "owner"}
    assert await world.rows("SELECT is_to_own FROM account WHERE brand_id = :brand") == [(True,)]


async def test_who_goes_and_comes_back_in_one_batch_has_nothing_of_before(world: World) -> None:
    await world.account("mail", "ada", "root")
    await world.apply(given.administrators("root", "ada"))

    await world.answers(
        world.asks(given.remove("ada")), world.asks(given.administrators("ada", "bob"))
    )

    assert await world.has("mail") == {"root": "owner"}
    assert await world.rows("SELECT id FROM member WHERE brand_id = :brand AND is_to_end") == []


async def test_who_had_very_much_comes_back_when_a_job_has_ended_it(world: World) -> None:
    """One message could name thousands who had thousands each: no transaction ends all that."""
    await remove_who_had_very_much(world)

    await world.waits(given.register("ada"))
    await world.apply(given.register("bob"))
    assert await end_access(world.database.writer, 1) == 1
    await world.apply(given.register("ada"))

    [(alive,)] = await world.rows(
        "SELECT count(*) FROM access_grant WHERE brand_id = :brand AND state = 'granted'"
    )
    assert alive == 0


async def test_another_brands_thousands_hold_nobody_back(world: World) -> None:
    small = World(world.database, world.context, brand="zoo")
    await small.account("mail", "ada", "root")
    await small.apply(given.administrators("root", "ada"))
    await small.apply(given.remove("ada"))
    await remove_who_had_very_much(world)

    batch = await world.tell(world.asks(given.register("ada")), small.asks(given.register("ada")))

    assert [one.turn.asked.id.brand for one in batch.held] == [world.brand]
    assert await small.has() == {"root": "owner"}


async def test_what_takes_a_job_too_long_is_refused_and_what_is_behind_it_goes_on(
    world: World,
) -> None:
    """It is no failure of ours: nobody's consumer stops for it, and no operator is asked."""
    await remove_who_had_very_much(world)
    log = Log(world.database.writer, handlers)
    log.append(world.asks(given.register("ada")), world.asks(given.register("bob")))

    held = await log.poll()
    done = await log.later(LIMITS.wait.total_seconds())

    assert (held.failures, done.failures) == (0, 0)
    assert [one.standing.state for one in held.held] == ["waits", "queued"]
    refused, applied = (outcome for _, outcome in done.answers)
    assert isinstance(refused, CommandRefused)
    assert (refused.reason, applied.outcome) == ("still_ending", "applied")
    assert await log.held() == []


async def test_what_they_are_given_after_they_came_back_stays(world: World) -> None:
    await world.account("mail", "root")
    await world.apply(given.administrators("root"))
    await world.apply(given.register("ada"))
    await world.apply(given.grant("ada"))
    await world.apply(given.remove("ada"))
    await world.apply(given.register("ada"))

    await world.apply(given.grant("ada"))
    await world.follow()

    assert await world.has("mail") == {"root": "owner", "ada": "user"}


async def test_every_change_is_on_record(world: World) -> None:
    await world.apply(given.administrators("root"))
    await world.apply(given.register("ada"))
    await world.apply(given.register("ada"))
    await world.apply(given.remove("ada"))

    assert await world.rows(
        "SELECT issuer, actor, action, subject, members FROM audit WHERE brand_id = :brand"
        " ORDER BY at"
    ) == [
        ("local", "root", "RegisterMembers", "members", {"root": "administrator"}),
        ("local", "root", "RegisterMembers", "members", {"ada": "member"}),
        ("local", "root", "RemoveMembers", "members", {"ada": "removed"}),
    ]


async def test_the_policy_is_chosen_and_announced(world: World) -> None:
    assert not (await world.apply(given.policy("suspend"))).changed
    await world.apply(given.policy("flag"))
    await world.apply(given.administrators("root"))

    assert [type(one).__name__ for one in await world.events()] == [
        "AccessPolicyChanged",
        "MemberRegistered",
    ]
    assert await world.rows("SELECT has_list, on_loss FROM brand WHERE brand_id = :brand") == [
        (True, "flag")
    ]
    assert (await world.refusal(given.policy("suspend"), by="eve")).reason == "not_an_administrator"


async def remove_who_had_very_much(world: World) -> None:
    """Have `ada` removed with more than is ended at once, and no job at work."""
    await world.apply(given.register(given.member("root", "administrator"), "ada"))
    many = {"many": ENDED_AT_ONCE + 1}
    await world.change(
        "INSERT INTO account (brand_id, id, extension, name, creator, is_deleted, epoch, sequence,"
        " is_created, is_to_own, is_to_end) SELECT :brand, 'a' || one, 'loud-mail', '', 'root',"
        " false, 1, 1, true, false, false FROM generate_series(1, :many) one",
        **many,
    )
    await world.change(
        "INSERT INTO access_grant (brand_id, account_id, member, level, state, how, by, since)"
        " SELECT :brand, 'a' || one, 'ada', 'user', 'granted', 'granted', 'root', now()"
        " FROM generate_series(1, :many) one",
        **many,
    )
    await world.apply(given.remove("ada"))
