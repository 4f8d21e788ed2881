"""Giving access on a real database: who may, what comes of each, and that once."""

from datetime import UTC, datetime, timedelta
from typing import Any

from keyturn_contracts.access import MAX_NAMED, AccessGranted
from keyturn_contracts.message import CommandApplied
from sqlalchemy import event

from tests.access import given
from tests.access.world import World, told

UNTIL = datetime(2126, 1, 1, tzinfo=UTC)


async def test_an_owner_gives_access_and_each_is_announced_whole(world: World) -> None:
    await world.account("mail", "ada")

    outcome = await world.apply(given.grant("bob", "carol", until=UNTIL), by="ada")

    [first, second] = await world.events()
    assert isinstance(first, AccessGranted)
    assert (first.member, first.level, first.how, first.by, first.until) == (
        "bob",
        "user",
        "granted",
        "ada",
        UNTIL,
    )
    assert told([second]) == [("AccessGranted", "mail/carol", "user")]
    assert outcome.revision is not None
    assert await world.has() == {"ada": "owner", "bob": "user", "carol": "user"}


async def test_nobody_else_may_and_a_user_is_somebody_else(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant("bob"), by="ada")

    for other in ("root", "bob"):
        assert (await world.refusal(given.grant("eve"), by=other)).reason == "not_an_owner"
        assert (await world.refusal(given.grant_all(), by=other)).reason == "not_an_owner"
    assert await world.has() == {"ada": "owner", "bob": "user"}


async def test_where_nobody_owns_it_an_administrator_makes_owners(world: World) -> None:
    await world.account("mail")
    await world.apply(given.register(given.member("root", "administrator"), "ada"))

    assert (await world.refusal(given.grant("ada"), by="ada")).reason == "not_an_owner"
    await world.apply(given.grant("root", level="owner"))

    assert await world.has() == {"root": "owner"}


async def test_an_owner_who_is_not_on_the_list_owns_nothing(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.administrators("root"))

    refused = await world.refusal(given.grant("root"), by="ada")

    assert refused.reason == "not_an_owner"
    assert refused.message == "ada is not on the brand's list of members."
    assert (await world.apply(given.grant("root", level="owner"))).changed


async def test_an_account_that_nobody_has_heard_of_is_waited_for(world: World) -> None:
    await world.waits(given.grant("bob"))
    await world.waits(given.grant_all())
    await world.waits(given.revoke("bob"))


async def test_a_creator_who_is_not_made_an_owner_yet_waits(world: World) -> None:
    await world.hear(given.account("mail", creator="ada"))

    await world.waits(given.grant("bob"), by="ada")
    await world.waits(given.grant("bob"), by="root")


async def test_of_a_deleted_account_nothing_is_given(world: World) -> None:
    await world.account("mail", "ada")
    await world.hear(given.account_deleted("mail"))

    assert (await world.refusal(given.grant("bob"), by="ada")).reason == "account_deleted"


async def test_each_who_is_not_given_it_has_a_verdict(world: World) -> None:
    await world.account("mail", "root")
    await world.apply(given.register(given.member("root", "administrator"), "ada", "bob"))
    await world.apply(given.grant("ada"))
    await world.events()

    outcome = await world.apply(given.grant("root", "ada", "eve", "bob", "bob"))

    assert [(one.subject, one.verdict, one.reason) for one in outcome.verdicts] == [
        ("root", "unchanged", None),
        ("ada", "unchanged", None),
        ("eve", "refused", "member_unknown"),
    ]
    assert told(await world.events()) == [("AccessGranted", "mail/bob", "user")]


async def test_only_administrators_become_owners(world: World) -> None:
    await world.account("mail", "root")
    await world.apply(given.register(given.member("root", "administrator"), "ada"))

    refused = await world.refusal(given.grant("ada", level="owner"))
    await world.apply(given.administrators("ada"))
    await world.apply(given.grant("ada", level="owner"))

    assert refused.reason == "members_refused"
    assert await world.has() == {"root": "owner", "ada": "owner"}


async def test_another_end_or_level_replaces_what_was(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant("bob", until=UNTIL), by="ada")
    await world.apply(given.grant("bob"), by="ada")
    await world.apply(given.grant("bob", level="owner"), by="ada")
    again = await world.apply(given.grant("bob", level="owner"), by="ada")

    assert not again.changed
    assert told(await world.events()) == [
        ("AccessGranted", "mail/bob", "user"),
        ("AccessGranted", "mail/bob", "user"),
        ("AccessGranted", "mail/bob", "owner"),
    ]
    assert await world.rows(
        "SELECT level, until FROM access_grant WHERE brand_id = :brand AND member = 'bob'"
    ) == [("owner", None)]


async def test_everyone_is_given_user_access_once(world: World) -> None:
    await world.account("mail", "ada")

    refused = await world.refusal(given.grant_all(level="owner"), by="ada")
    first = await world.apply(given.grant_all(), by="ada")
    again = await world.apply(given.grant_all(), by="ada")

    assert refused.reason == "owner_not_for_all"
    assert (first.changed, again.changed) == (True, False)
    assert again.note == "Everyone has access already."
    assert told(await world.events()) == [("AccessGranted", "mail/*", "user")]


async def test_what_would_have_ended_before_it_began_is_refused(world: World) -> None:
    await world.account("mail", "ada")
    past = datetime.now(UTC) - timedelta(seconds=1)

    for command in (given.grant("bob", until=past), given.grant_all(until=past)):
        assert (await world.refusal(command, by="ada")).reason == "until_passed"


async def test_what_has_run_out_is_given_anew_before_anybody_said_so(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant("bob", until=UNTIL), by="ada")
    await world.change(
        "UPDATE access_grant SET until = since WHERE member = 'bob' AND brand_id = :brand"
    )
    await world.events()

    revoked = await world.apply(given.revoke("bob"), by="ada")
    given_anew = await world.apply(given.grant("bob"), by="ada")

    assert (revoked.changed, given_anew.changed) == (False, True)
    assert told(await world.events()) == [("AccessGranted", "mail/bob", "user")]


async def test_as_many_as_a_message_takes_are_given_access(world: World) -> None:
    await world.account("mail", "ada")
    people = [f"m{number:05}" for number in range(MAX_NAMED)]

    outcome = await world.apply(given.grant(*people), by="ada")
    again = await world.apply(given.grant(*people), by="ada")
    ended = await world.apply(given.revoke(*people), by="ada")

    assert (outcome.changed, again.changed, ended.changed) == (True, False, True)
    assert (len(again.verdicts), again.not_applied) == (100, MAX_NAMED)
    assert len(await world.events()) == 2 * MAX_NAMED


async def test_commands_of_one_batch_on_one_account_see_each_other(world: World) -> None:
    await world.account("mail", "ada")

    outcomes = await world.answers(
        world.asks(given.grant("bob", level="owner"), by="ada"),
        world.asks(given.revoke("ada"), by="bob"),
        world.asks(given.grant("carol"), by="ada"),
        world.asks(given.grant("carol"), by="bob"),
    )

    assert [one.outcome for one in outcomes] == ["applied", "applied", "refused", "applied"]
    assert await world.has() == {"bob": "owner", "carol": "user"}


async def test_who_is_registered_in_the_same_batch_is_known(world: World) -> None:
    await world.account("mail", "root")

    outcomes = await world.answers(
        world.asks(given.grant("bob")), world.asks(given.administrators("root", "bob"))
    )

    assert all(isinstance(one, CommandApplied) for one in outcomes)


async def test_however_many_commands_statements_stay_the_same(world: World) -> None:
    for number in range(8):
        await world.account(f"mail{number}", "ada")

    async def count(numbers: range) -> int:
        commands = [
            one
            for number in numbers
            for one in (
                world.asks(given.grant("bob", "carol", account=f"mail{number}"), by="ada"),
                world.asks(given.revoke("bob", account=f"mail{number}"), by="ada"),
                world.asks(given.enable(f"m{number}")),
                world.asks(given.administrators(f"m{number}")),
            )
        ]
        statements: list[str] = []
        engine = world.database.writer.sync_engine

        def note(*arguments: Any) -> None:
            statements.append(arguments[2])

        event.listen(engine, "before_cursor_execute", note)
        try:
            await world.answers(*commands)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return len(statements)

    await count(range(1))
    assert await count(range(1, 2)) == await count(range(2, 8)) > 0


async def test_every_change_is_on_record(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant("bob", "carol"), by="ada")
    await world.apply(given.grant("bob"), by="ada")
    await world.apply(given.grant_all(), by="ada")

    assert await world.rows(
        "SELECT actor, action, subject, members FROM audit WHERE brand_id = :brand ORDER BY at"
    ) == [
        ("ada", "GrantAccess", "grants/mail", {"bob": "user", "carol": "user"}),
        ("ada", "GrantAccessToAll", "grants/mail", {"*": "user"}),
    ]
