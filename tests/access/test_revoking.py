"""Taking access away on a real database; the last owner stays."""

from tests.access import given
from tests.access.world import World, told


async def test_several_are_revoked_at_once_each_with_an_event(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant("bob", "carol", "dave"), by="ada")
    await world.events()

    outcome = await world.apply(given.revoke("bob", "carol", "eve", "bob"), by="ada")

    assert [(one.subject, one.verdict) for one in outcome.verdicts] == [("eve", "unchanged")]
    assert told(await world.events()) == [
        ("AccessRevoked", "mail/bob", "revoked"),
        ("AccessRevoked", "mail/carol", "revoked"),
    ]
    assert await world.has() == {"ada": "owner", "dave": "user"}


async def test_the_last_owner_is_not_revoked_and_is_told_what_to_do(world: World) -> None:
    await world.account("mail", "ada")

    refused = await world.refusal(given.revoke("ada"), by="ada")

    assert refused.reason == "members_refused"
    assert "make another administrator an owner first, or delete the account" in refused.message
    assert await world.has() == {"ada": "owner"}


async def test_of_all_owners_the_one_who_is_named_last_stays(world: World) -> None:
    await world.account("mail", "ada", "bob")

    outcome = await world.apply(given.revoke("bob", "ada"), by="ada")

    assert [(one.subject, one.reason) for one in outcome.verdicts] == [("ada", "last_owner")]
    assert await world.has() == {"ada": "owner"}


async def test_an_owner_who_is_not_on_the_list_is_no_owner_that_remains(world: World) -> None:
    await world.account("mail", "root", "ada")
    await world.apply(given.administrators("root"))

    assert (await world.refusal(given.revoke("root"))).reason == "members_refused"
    assert (await world.apply(given.revoke("ada"))).changed


async def test_everyones_access_ends_and_what_members_have_by_name_stays(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant("bob"), by="ada")
    nothing = await world.apply(given.revoke(), by="ada")
    await world.apply(given.grant_all(), by="ada")
    await world.events()

    await world.apply(given.revoke(), by="ada")

    assert not nothing.changed
    assert told(await world.events()) == [("AccessRevoked", "mail/*", "revoked")]
    assert await world.has() == {"ada": "owner", "bob": "user"}


async def test_revoking_what_is_not_there_is_harmless_and_says_so(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant("bob"), by="ada")
    await world.apply(given.revoke("bob"), by="ada")

    outcome = await world.apply(given.revoke("bob"), by="ada")

    assert (outcome.changed, outcome.not_applied) == (False, 1)
    assert outcome.note == "None of them has anything that could be taken away."


async def test_a_creator_whose_ownership_was_taken_away_has_no_more_right(world: World) -> None:
    await world.account("mail", "ada", "root")
    await world.apply(given.revoke("ada"))

    assert (await world.refusal(given.grant("ada"), by="ada")).reason == "not_an_owner"
    await world.hear(given.account("mail", creator="ada"))
    await world.follow()
    assert await world.has() == {"root": "owner"}


async def test_it_is_on_record(world: World) -> None:
    await world.account("mail", "ada", "bob")
    await world.apply(given.revoke("bob"), by="ada")

    assert await world.rows(
        "SELECT actor, action, subject, members FROM audit WHERE brand_id = :brand"
    ) == [("ada", "RevokeAccess", "grants/mail", {"bob": "ended"})]
