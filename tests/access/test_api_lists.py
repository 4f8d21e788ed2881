"""The lists over HTTP: who has access, members, their accounts, enablements, and the record."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from keyturn_contracts.actor import Role

from tests.access import given
from tests.access.given import LOUD, RELAY, STRICT
from tests.access.http import Client, serving
from tests.access.world import World
from tests.running_stack import RunningStack

FAR = datetime(2126, 1, 1, 12, tzinfo=UTC)
MEMBER: Sequence[Role] = ("member",)
LISTS = (
    "accounts/mail/access",
    "accounts/mail/access/history",
    "accounts/usable",
    "members",
    "members/ada",
    "members/ada/accounts",
    f"extensions/{LOUD}/enablements",
    "policy",
)


@pytest.fixture
async def client(world: World, stack: RunningStack, tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(stack, world.database, tmp_path) as client:
        yield client


@pytest.fixture
async def shared(world: World) -> World:
    """Return a brand with a list, and an account that ada owns, four may use, and everyone may."""
    await world.account("mail", "ada")
    await world.apply(given.administrators("root", "ada"))
    await world.apply(
        given.register(
            given.member("bob", name="Bob Miller"), given.member("carol", name="Carol"), "dave"
        )
    )
    await world.apply(given.grant("carol", "dave"), by="ada")
    await world.apply(given.grant("bob", until=FAR), by="ada")
    await world.apply(given.grant_all(), by="ada")
    return world


async def pages(client: Client, path: str, **options: Any) -> tuple[list[dict[str, Any]], int]:
    """Return the items of all pages, and the total that each of them said."""
    items: list[dict[str, Any]] = []
    totals: set[int] = set()
    after: dict[str, str] = {}
    while True:
        page = await client.shown(path, **options, **after)
        items += page["items"]
        totals.add(page["total"])
        if "next" not in page:
            [total] = totals
            return items, total
        after = {"after": page["next"]}


def members_of(page: dict[str, Any]) -> list[str]:
    return [one["member"] for one in page["items"]]


async def test_the_table_of_an_account_has_everyone_first_and_a_total(
    shared: World, client: Client
) -> None:
    items, total = await pages(client, "accounts/mail/access", limit=2)

    assert [(one["member"], one["level"], one["how"], one["by"]) for one in items] == [
        ("*", "user", "granted", "ada"),
        ("ada", "owner", "created", "ada"),
        ("bob", "user", "granted", "ada"),
        ("carol", "user", "granted", "ada"),
        ("dave", "user", "granted", "ada"),
    ]
    assert total == len(items)
    assert (items[2]["name"], items[2]["until"]) == ("Bob Miller", "2126-01-01T12:00:00Z")
    assert "until" not in items[3]
    assert datetime.fromisoformat(items[3]["since"]) <= datetime.now(UTC)


async def test_the_table_is_searched_and_filtered(shared: World, client: Client) -> None:
    async def found(**filters: str) -> list[str]:
        page = await client.shown("accounts/mail/access", **filters)
        assert page["total"] == len(page["items"])
        return members_of(page)

    assert await found(search="bob") == ["bob"]
    assert await found(search="BOB M") == ["bob"]
    assert await found(search="miller") == []
    assert await found(search="%") == []
    assert await found(search="*") == []
    assert await found(level="owner") == ["ada"]
    assert await found(level="user", search="c") == ["carol"]
    assert (await client.get("accounts/mail/access", search="\x00")).status_code == 422
    assert (await client.get("accounts/mail/access", after="nonsense")).status_code == 422


async def test_what_has_run_out_and_who_has_left_is_not_in_the_table(
    shared: World, client: Client
) -> None:
    """No job has run: nothing has ended these grants."""
    await shared.change(
        "UPDATE access_grant SET until = now() WHERE brand_id = :brand AND member = 'bob'"
    )
    await shared.apply(given.remove("carol"))
    alive = await shared.has()

    page = await client.shown("accounts/mail/access")

    assert {"bob", "carol"} <= alive.keys()
    assert (members_of(page), page["total"]) == (["*", "ada", "dave"], 3)


async def test_a_user_sees_what_they_have_and_nobody_elses(shared: World, client: Client) -> None:
    as_bob = await client.shown("accounts/mail/access", by="bob", roles=MEMBER)
    as_owner = await client.shown("accounts/mail/access", by="ada", roles=MEMBER)
    searched = await client.shown("accounts/mail/access", by="bob", roles=MEMBER, search="carol")
    await shared.apply(given.revoke(), by="ada")
    after = await client.shown("accounts/mail/access", by="bob", roles=MEMBER)

    assert (members_of(as_bob), as_bob["total"]) == (["*", "bob"], 2)
    assert len(members_of(as_owner)) == 5
    assert (members_of(searched), searched["total"]) == ([], 0)
    assert members_of(after) == ["bob"]


async def test_what_is_not_theirs_and_what_is_not_there_look_alike(
    shared: World, client: Client
) -> None:
    await shared.apply(given.register("erin"))
    await shared.apply(given.revoke(), by="ada")

    for who, status in (("erin", 404), ("eve", 403)):
        theirs = await client.get("accounts/mail/access", by=who, roles=MEMBER)
        nothing = await client.get("accounts/none/access", by=who, roles=MEMBER)
        assert (theirs.status_code, nothing.status_code) == (status, status)
        assert theirs.json()["message"].replace("mail", "none") == nothing.json()["message"]
    assert (await client.get("accounts/none/access")).status_code == 404


async def test_a_deleted_account_has_no_table_and_keeps_its_history(
    shared: World, client: Client
) -> None:
    await shared.hear(given.account_deleted())

    assert (await client.get("accounts/mail/access")).status_code == 404
    assert (await client.shown("accounts/mail/access/history"))["items"]


async def test_the_history_says_who_did_what_the_newest_first(
    shared: World, client: Client
) -> None:
    await shared.apply(given.revoke("carol", "dave"), by="ada")

    first = await client.shown("accounts/mail/access/history", limit=3)
    second = await client.shown("accounts/mail/access/history", limit=3, after=first["next"])

    assert [(one["action"], one["members"]) for one in [*first["items"], *second["items"]]] == [
        ("RevokeAccess", {"carol": "ended", "dave": "ended"}),
        ("GrantAccessToAll", {"*": "user"}),
        ("GrantAccess", {"bob": "user"}),
        ("GrantAccess", {"carol": "user", "dave": "user"}),
    ]
    newest = first["items"][0]
    assert (newest["by"], newest["issuer"], newest["member_count"]) == ("ada", "local", 2)
    assert "next" not in second


async def test_of_very_many_members_the_history_names_some_and_counts_all(
    shared: World, client: Client
) -> None:
    many = [f"m{one:03}" for one in range(150)]
    await shared.apply(given.register(*many))
    await shared.apply(given.grant(*many), by="ada")

    newest = (await client.shown("accounts/mail/access/history"))["items"][0]

    assert ([*newest["members"]], newest["member_count"]) == (many[:100], 150)


async def test_the_history_is_for_owners_and_administrators(shared: World, client: Client) -> None:
    as_owner = await client.get("accounts/mail/access/history", by="ada", roles=MEMBER)
    as_user = await client.get("accounts/mail/access/history", by="bob", roles=MEMBER)
    as_nobody = await client.get("accounts/mail/access/history", by="eve", roles=MEMBER)

    assert [one.status_code for one in (as_owner, as_user, as_nobody)] == [200, 403, 403]


async def test_members_are_listed_for_administrators(shared: World, client: Client) -> None:
    await shared.apply(given.remove("dave"))
    items, total = await pages(client, "members", limit=2)

    assert [(one["member_id"], one["role"]) for one in items] == [
        ("ada", "administrator"),
        ("bob", "member"),
        ("carol", "member"),
        ("root", "administrator"),
    ]
    assert total == 4
    assert [one["member_id"] for one in (await pages(client, "members", search="bob m"))[0]] == [
        "bob"
    ]
    assert (await pages(client, "members", role="administrator"))[1] == 2
    assert [one["member_id"] for one in (await pages(client, "members", state="removed"))[0]] == [
        "dave"
    ]
    assert (await client.get("members", by="bob", roles=MEMBER)).status_code == 403
    # Their issuer calls them an administrator; the list does not.
    assert (await client.get("members", by="bob")).status_code == 403


async def test_a_brand_without_a_list_says_so(client: Client) -> None:
    assert await client.shown("members") == {"items": [], "total": 0, "has_list": False}
    assert (await client.get("members/root")).status_code == 404


async def test_a_member_sees_themselves_alone(shared: World, client: Client) -> None:
    shown = await client.shown("members/bob", by="bob", roles=MEMBER)

    assert shown == {
        "member_id": "bob",
        "name": "Bob Miller",
        "role": "member",
        "state": "registered",
    }
    assert await client.shown("members/bob") == shown
    for path in ("members/carol", "members/nobody", "members/carol/accounts"):
        assert (await client.get(path, by="bob", roles=MEMBER)).status_code == 403
    usable = await client.get("accounts/usable", by="bob", roles=MEMBER, member="carol")
    assert usable.status_code == 403


async def test_a_members_accounts_are_those_they_use_and_own_with_the_way(
    shared: World, client: Client
) -> None:
    """Of an extension that is not enabled for them only what they own is theirs."""
    await shared.account("chat", "ada", extension=STRICT)
    await shared.account("relay", "root", extension=RELAY)
    await shared.account("secret", "root", extension=RELAY)
    await shared.apply(given.enable("bob"))
    await shared.apply(given.grant("bob", "ada", account="relay"))
    await shared.follow()

    as_bob = await client.shown("members/bob/accounts", by="bob", roles=MEMBER)
    of_ada = await client.shown("members/ada/accounts")
    usable = await client.shown("accounts/usable", by="ada", roles=MEMBER)
    of_relay = await client.shown("accounts/usable", member="bob", extension=RELAY)

    assert as_bob == {
        "items": [
            {
                "account_id": "mail",
                "name": "Account mail",
                "extension": LOUD,
                "level": "user",
                "usable": True,
                "way": "user",
                "code": "allowed",
            },
            {
                "account_id": "relay",
                "name": "Account relay",
                "extension": RELAY,
                "level": "user",
                "usable": True,
                "way": "user",
                "code": "allowed",
            },
        ],
        "complete": True,
    }
    assert [(one["account_id"], one["level"], one["code"]) for one in of_ada["items"]] == [
        ("chat", "owner", "not_enabled"),
        ("mail", "owner", "not_enabled"),
        ("relay", "user", "allowed"),
    ]
    assert of_ada["items"][0]["message"].startswith("strict-chat is not enabled for ada")
    assert [one["account_id"] for one in usable["items"]] == ["relay"]
    assert ([one["account_id"] for one in of_relay["items"]], of_relay["complete"]) == (
        ["relay"],
        True,
    )


async def test_a_list_of_accounts_says_when_it_is_not_complete(
    world: World, client: Client
) -> None:
    for number in range(5):
        await world.account(f"a{number}", "ada", extension=RELAY)

    first = await client.shown("members/ada/accounts", limit=3)
    second = await client.shown("members/ada/accounts", limit=3, after=first["next"])
    whole = await client.shown("members/ada/accounts", limit=5)
    await world.hear(given.account("new", RELAY))
    early = await client.shown("accounts/usable", member="ada")
    others = [
        await client.shown("accounts/usable", member="ada", extension=LOUD),
        await client.shown("accounts/usable", member="bob"),
    ]
    await world.follow()
    late = await client.shown("accounts/usable", member="ada")

    ids = [one["account_id"] for one in [*first["items"], *second["items"]]]
    assert ids == ["a0", "a1", "a2", "a3", "a4"]
    assert [one["complete"] for one in (first, second, whole)] == [False, False, True]
    assert first["incomplete_because"] == ["one_page_of_several"]
    assert "next" not in second
    assert (early["complete"], early["incomplete_because"]) == (False, ["owners_to_come"])
    assert [one["complete"] for one in others] == [True, True]
    assert (late["complete"], late["items"][-1]["account_id"]) == (True, "new")


async def test_enablements_are_listed_with_everyone_first(shared: World, client: Client) -> None:
    await shared.apply(given.enable("bob", "carol"))
    await shared.apply(given.enable())

    items, total = await pages(client, f"extensions/{LOUD}/enablements", limit=1)
    shown = await client.shown(f"extensions/{LOUD}/enablements", search="bob m")
    as_bob = await client.shown(f"extensions/{LOUD}/enablements", by="bob", roles=MEMBER)

    assert [(one["member"], one["by"]) for one in items] == [
        ("*", "root"),
        ("bob", "root"),
        ("carol", "root"),
    ]
    assert (total, items[1]["name"]) == (3, "Bob Miller")
    assert (shown["party"], shown["state"], members_of(shown)) == ("third", "installed", ["bob"])
    assert (members_of(as_bob), as_bob["total"]) == (["*", "bob"], 2)


async def test_who_left_is_enabled_for_nothing(shared: World, client: Client) -> None:
    await shared.apply(given.enable("bob", "carol"))
    await shared.apply(given.remove("bob"))

    assert members_of(await client.shown(f"extensions/{LOUD}/enablements")) == ["carol"]


async def test_a_first_party_comes_with_the_licence(client: Client) -> None:
    shown = await client.shown(f"extensions/{RELAY}/enablements")

    assert (shown["items"], shown["note"]) == ([], "It comes with the licence, for every member.")
    assert (await client.get("extensions/nobody-knows/enablements")).status_code == 404


async def test_the_policy_is_to_suspend_until_the_brand_chooses(
    world: World, client: Client
) -> None:
    before = await client.shown("policy", by="bob", roles=MEMBER)
    await world.apply(given.policy("flag"))

    assert (before, await client.shown("policy")) == ({"on_loss": "suspend"}, {"on_loss": "flag"})


async def test_nobody_sees_what_another_brand_has(world: World, client: Client) -> None:
    """The twin has the same accounts, members and extensions; this brand nothing but extensions."""
    assert len((await client.shown("accounts/mail/access", brand="twin"))["items"]) == 5
    assert (await client.get("accounts/mail/access")).status_code == 404
    assert (await client.shown("accounts/mail/access/history"))["items"] == []
    assert (await client.shown("members"))["items"] == []
    assert (await client.get("members/ada")).status_code == 404
    assert (await client.shown("members/ada/accounts"))["items"] == []
    assert (await client.shown("accounts/usable", member="ada"))["items"] == []
    assert (await client.shown(f"extensions/{STRICT}/enablements"))["items"] == []
    assert await client.shown("policy") == {"on_loss": "suspend"}

    await world.account("mail", "olga")
    assert members_of(await client.shown("accounts/mail/access")) == ["olga"]


@pytest.mark.parametrize("path", LISTS)
async def test_an_operator_of_the_platform_is_told_of_nobody(
    path: str, shared: World, client: Client
) -> None:
    """Not even as somebody of that name: who owns the account, or is on the list."""
    for who in ("ops", "ada", "bob", "root"):
        answer = await client.get(path, by=who, roles=("operator",))
        assert (answer.status_code, answer.json()["error"]) == (403, "not_allowed"), who

    # By their own name somebody is told what their role in the brand lets them know.
    assert (await client.get(path, by="root", roles=("operator", "administrator"))).is_success


async def test_without_a_token_nothing_is_answered(client: Client) -> None:
    for path in LISTS:
        assert (await client.http.get(f"/v1/{path}")).status_code == 401
