"""What people may read of accounts, and never a secret."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from keyturn_contracts.access import MemberRegistered, MemberRemoved
from keyturn_contracts.actor import engine_issuer
from keyturn_contracts.credential_vault import DeleteAccount, EditAccount

from tests.batches import asked, news
from tests.credential_vault.given import granted
from tests.credential_vault.http import Client, token_of
from tests.credential_vault.vault import GivenEngine, Vault, completed


async def ids(client: Client, **asked_for: Any) -> list[str]:
    answer = await client.get("/v1/accounts", **asked_for)
    assert answer.status_code == 200, answer.text
    return [one["account_id"] for one in answer.json()["items"]]


async def test_an_administrator_sees_the_brands_accounts_and_members_what_they_own(
    vault: Vault, client: Client
) -> None:
    await vault.given_account("a", by="ada")
    await vault.given_account("b", by="bob")

    assert await ids(client, by="eve", roles=("administrator",)) == ["a", "b"]
    assert await ids(client, by="bob", roles=("member",)) == ["b"]
    assert await ids(client, by="eve", roles=("member",)) == []
    assert (await client.get("/v1/accounts/a", by="bob", roles=("member",))).status_code == 404
    assert (await client.get("/v1/accounts/b", by="bob", roles=("member",))).status_code == 200


async def test_an_account_shows_who_owns_it_now(vault: Vault, client: Client) -> None:
    await vault.given_account("mail")
    await vault.given_account("post", by="zoe")
    now = datetime.now(UTC)
    await vault.hear(
        granted(member="eve", until=now + timedelta(hours=1)),
        granted(member="bob", until=now - timedelta(hours=1)),
        granted(member="joe", level="user"),
        granted(member="ann"),
        granted(member="ann", is_ended=True),
    )
    await vault.hear(granted(member="stranger"), brand="other")

    assert (await client.get("/v1/accounts/mail")).json()["owners"] == ["ada", "eve"]
    listed = (await client.get("/v1/accounts")).json()["items"]
    assert [one["owners"] for one in listed] == [["ada", "eve"], ["zoe"]]
    seen = {who: await ids(client, by=who, roles=("member",)) for who in ("eve", "bob", "joe")}
    assert seen == {"eve": ["mail"], "bob": [], "joe": []}


async def test_who_was_taken_off_the_list_owns_and_sees_nothing(
    vault: Vault, client: Client
) -> None:
    await vault.given_account()
    await vault.hear(
        granted(member="eve"),
        MemberRegistered(member_id="eve", role="member", state="registered"),
        MemberRemoved(member_id="ada", role="administrator", state="removed"),
    )

    for path in ("/v1/accounts", "/v1/accounts/mail"):
        assert (await client.get(path, by="ada")).status_code == 403
    shown = (await client.get("/v1/accounts/mail", by="eve", roles=("member",))).json()
    assert (shown["creator"], shown["owners"]) == ("ada", ["eve"])


async def test_of_very_many_owners_the_first_hundred_are_shown(
    vault: Vault, client: Client
) -> None:
    await vault.given_account(by="m-000")
    names = [f"m-{n:03}" for n in range(120)]
    await vault.deliver(*(news(granted(member=one), 9) for one in reversed(names)))

    assert (await client.get("/v1/accounts/mail")).json()["owners"] == names[:100]


async def test_who_is_no_member_sees_no_accounts(vault: Vault, client: Client) -> None:
    await vault.given_account()

    for path in ("/v1/accounts", "/v1/accounts/mail"):
        assert (await client.get(path, by="ada", roles=())).status_code == 403


async def test_another_brands_accounts_are_not_there(vault: Vault, client: Client) -> None:
    await vault.given_account("mine")
    await vault.given_account("theirs", brand="other")

    assert await ids(client) == ["mine"]
    assert (await client.get("/v1/accounts/theirs")).status_code == 404
    assert await ids(client, brand="other") == ["theirs"]


async def test_an_account_that_was_never_added_is_not_there(vault: Vault, client: Client) -> None:
    await vault.deliver(
        await vault.adding({"secret": "s"}, {"host": "a.example"}, scheme="signing-secret")
    )

    assert await ids(client) == []
    assert (await client.get("/v1/accounts/mail")).status_code == 404


async def test_pages_hold_every_account_once(vault: Vault, client: Client) -> None:
    names = [f"account-{n}" for n in range(5)]
    for name in names:
        await vault.given_account(name)
    page = (await client.get("/v1/accounts", limit=2)).json()
    found = [one["account_id"] for one in page["items"]]
    while "next" in page:
        page = (await client.get("/v1/accounts", limit=2, after=page["next"])).json()
        found += [one["account_id"] for one in page["items"]]

    assert found == names
    assert await ids(client, limit=5) == names


async def test_accounts_are_filtered(vault: Vault, client: Client) -> None:
    for name in ("a", "b"):
        await vault.given_account(name)
    await vault.deliver(
        asked(EditAccount(account_id="a", name="The 100% Relay_1")),
        asked(DeleteAccount(account_id="b")),
    )

    assert await ids(client, name="100% relay_") == ["a"]
    assert await ids(client, name="100x") == []
    assert await ids(client, name="%") == ["a"]
    assert await ids(client, state="deleted") == ["b"]
    assert await ids(client, state="connected") == ["a"]
    assert await ids(client, extension="smtp-relay") == ["a", "b"]
    assert await ids(client, extension="slack") == []


async def test_an_account_shows_its_versions_and_who_made_them_and_no_secret(
    vault: Vault, client: Client
) -> None:
    await vault.given_account(value="hunter2-canary")
    await vault.given_rotation(value="hunter2-canary", retire="when-complete")
    refused = await vault.rotating({"secret": "hunter2-canary"})
    await vault.deliver(refused, asked(EditAccount(account_id="mail", retire="P1D")))
    await vault.hear(completed())
    await vault.retire()
    await vault.tried()

    answer = await client.get("/v1/accounts/mail")

    shown = answer.json()
    assert (shown["version"], shown["state"], shown["creator"]) == (3, "connected", "ada")
    assert (shown["retire"], shown["unretired"], shown["holders"]) == ("P1D", [2], [])
    history = [(one["version"], one["state"], one["by"]) for one in shown["versions"]]
    assert history == [
        (3, "current", "ada"),
        (2, "previous", "ada"),
        (1, "retired", "credential-vault"),
    ]
    first, replaced = shown["versions"][2], shown["versions"][1]
    assert first["ended_at"] == first["since"] > first["promoted_at"] > first["created_at"]
    assert replaced["since"] == shown["versions"][0]["promoted_at"]
    assert "hunter2" not in answer.text
    assert not {"secret", "wrapped_key", "content"} & set(answer.text.split('"'))


async def test_a_refused_version_says_why(vault: Vault, client: Client) -> None:
    await vault.given_account()
    await vault.deliver(await vault.rotating({"secret": "next"}))
    await vault.deliver(asked(DeleteAccount(account_id="mail")))
    await vault.tried()

    shown = (await client.get("/v1/accounts/mail")).json()

    assert shown["state"] == "deleted"
    assert [(one["version"], one["state"], one.get("reason")) for one in shown["versions"]] == [
        (2, "refused", "account_deleted"),
        (1, "previous", None),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", 0),
        ("limit", 201),
        ("state", "adding"),
        ("extension", "A!"),
        ("after", "no id"),
        ("name", ""),
    ],
)
async def test_a_query_that_is_not_as_described_is_refused(
    client: Client, name: str, value: str | int
) -> None:
    answer = await client.get("/v1/accounts", **{name: value})  # pyright: ignore[reportArgumentType]  a query's own names

    assert answer.status_code == 422


async def test_an_engine_reads_no_accounts_and_a_stranger_nothing(
    vault: Vault, client: Client
) -> None:
    engine = GivenEngine()
    await vault.hear_engine(engine)
    issuer = engine_issuer("acme", "e1")
    token = token_of(engine.sig, issuer=issuer, subject=issuer, brand="acme", roles=())
    for path in ("/v1/accounts", "/v1/accounts/mail"):
        as_engine = await client.http.get(path, headers={"Authorization": f"Bearer {token}"})
        assert as_engine.status_code == 403
        assert (await client.http.get(path)).status_code == 401
