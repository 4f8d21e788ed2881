"""What the installation service answers over HTTP, and to whom."""

import json
from hashlib import sha256
from typing import Any

import pytest
from keyturn_contracts.domains import SUFFIX_LIST_VERSION
from keyturn_contracts.installation import ALL_BLOCKED
from sqlalchemy import text

from services.installation.rules.review import PREVIEW
from tests.installation import given
from tests.installation.given import LOUD, NEWS, NEWS_MAIL, RELAY, STRICT, WEB, permission
from tests.installation.http import Client
from tests.installation.world import World

PICTURES = "pictures.example.org"


async def test_the_review_shows_what_will_be_accepted(client: Client) -> None:
    shown = await client.shown(f"installations/{LOUD}/review")

    assert shown["needed"] == "install"
    assert shown["retired"] is False
    assert shown["suffix_list_version"] == SUFFIX_LIST_VERSION
    assert "state" not in shown
    assert "changes" not in shown
    review = shown["review"]
    assert review["preview"] == PREVIEW
    assert [one["shown"] for one in review["domains"]] == ["api.example.com", "{host}:{port}"]
    assert review["permissions"] == [
        {"data": "contacts", "purpose": "The addresses that mail is sent to."}
    ]
    assert review["terms"] == {"url": "https://example.com/terms", "version": "2026-01"}
    assert review["privacy_policy"] == {"url": "https://example.com/privacy", "version": "3"}


async def test_the_digest_is_that_of_the_review_as_it_is_answered(
    world: World, client: Client
) -> None:
    """Whoever reads the answer can compute it, and the command that carries it is applied."""
    shown = await client.shown(f"installations/{LOUD}/review")
    said = json.dumps(
        shown["review"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()

    assert shown["digest"] == sha256(said).hexdigest()
    assert (await world.apply(given.install(LOUD, shown["digest"]))).changed


async def test_the_review_of_what_is_installed_says_what_is_different(
    world: World, client: Client
) -> None:
    await world.install(NEWS_MAIL)
    same = await client.shown(f"installations/{NEWS}/review")
    await world.publish(
        given.manifest(NEWS, domains=(given.API,), permissions=(permission("tickets", "So."),)), 2
    )

    shown = await client.shown(f"installations/{NEWS}/review")

    assert (same["needed"], same["changes"]) == ("nothing", {"widens": [], "narrows": []})
    assert (shown["needed"], shown["state"], shown["version"]) == ("accept_change", "installed", 1)
    assert shown["changes"]["widens"] == ["It may read tickets: So."]
    proposed = (await client.shown(f"installations/{NEWS}"))["proposed"]
    assert proposed == {
        "version": 2,
        "digest": shown["digest"],
        "changes": ["It may read tickets: So."],
    }
    assert (await world.apply(given.accept(shown["digest"], NEWS))).changed


async def test_the_review_of_the_platforms_own_needs_nothing(client: Client) -> None:
    shown = await client.shown(f"installations/{WEB}/review")

    assert (shown["needed"], shown["note"]) == ("nothing", ALL_BLOCKED)


async def test_what_is_not_licensed_names_whom_to_ask(world: World, client: Client) -> None:
    await world.licence(RELAY)

    answer = await client.get(f"installations/{LOUD}/review")

    assert answer.status_code == 403
    assert answer.json() == {
        "error": "not_allowed",
        "message": f"{LOUD} is not in your licence; reach out to the test's operator.",
    }


async def test_what_nobody_knows_or_offers_has_no_review(world: World, client: Client) -> None:
    assert (await client.get("installations/nobody-knows/review")).status_code == 404

    await world.retire(NEWS_MAIL)
    assert (await client.get(f"installations/{NEWS}/review")).status_code == 404


async def test_what_is_retired_has_a_review_for_those_who_have_it(
    world: World, client: Client
) -> None:
    await world.install(NEWS_MAIL)
    await world.retire(NEWS_MAIL)

    assert (await client.shown(f"installations/{NEWS}/review"))["retired"]


async def test_the_list_is_paged_in_the_order_of_slugs_and_filtered(
    world: World, client: Client
) -> None:
    await world.apply(given.install())
    await world.apply(given.install(STRICT))
    await world.apply(given.uninstall(force=True))

    first = await client.shown("installations", limit=2)
    second = await client.shown("installations", limit=2, after=first["next"])
    ending = await client.shown("installations", state="uninstalling")
    gone = await client.shown("installations", state="uninstalled")

    slugs = [one["extension"] for one in [*first["items"], *second["items"]]]
    assert slugs == [LOUD, RELAY, STRICT, WEB]
    assert "next" not in second
    assert [one["extension"] for one in ending["items"]] == [LOUD]
    assert gone == {"items": []}
    assert first["items"][0]["note"] == ALL_BLOCKED
    assert (await client.get("installations", after="nonsense")).status_code == 422


async def test_one_installation_is_shown_whole_with_every_consent(
    world: World, client: Client
) -> None:
    await world.apply(given.install())
    await world.apply(given.add(PICTURES))
    first = await client.shown(f"installations/{LOUD}")
    await world.apply(given.uninstall(force=True))
    uninstall = (await world.events())[-1].uninstallation
    assert uninstall is not None
    await world.cleared(LOUD, uninstall.uninstall_id, accounts=2, tasks=7, grants=5)
    gone = await client.shown(f"installations/{LOUD}")
    await world.apply(given.install())
    again = await client.shown(f"installations/{LOUD}")

    assert first["domains"] == ["api.example.com", PICTURES]
    assert (first["state"], first["preview"], first["permissions"]) == (
        "installed",
        True,
        ["contacts"],
    )
    assert [one["review"]["version"] for one in first["consents"]] == [1]
    assert first["consents"][0]["id"] == first["consent"]["id"]
    assert first["consents"][0]["suffix_list"] == SUFFIX_LIST_VERSION
    assert first["consent"]["suffix_list"] == SUFFIX_LIST_VERSION
    assert first["added"][0]["suffix_list"] == SUFFIX_LIST_VERSION
    assert (gone["state"], gone["domains"], gone["note"]) == ("uninstalled", [], ALL_BLOCKED)
    counts = [gone["uninstallation"][one] for one in ("accounts", "tasks", "grants")]
    assert counts == [2, 7, 5]
    assert "completed_at" in gone["uninstallation"]
    assert len(again["consents"]) == 2
    assert again["consents"][0]["id"] == again["consent"]["id"]
    assert "uninstallation" not in again


async def test_the_domains_are_shown_with_where_each_is_from(world: World, client: Client) -> None:
    await world.apply(given.install())
    await world.apply(given.add("bücher.example.org"))
    await world.hear(given.account("a1"))

    shown = await client.shown(f"installations/{LOUD}/domains")

    assert shown["domains"] == [
        "api.example.com",
        "xn--bcher-kva.example.org",
        "smtp.example.net:587",
    ]
    assert (shown["revision"], shown["may_add_domains"], shown["hosts_left_out"]) == (3, True, 0)
    assert shown["suffix_list_version"] == SUFFIX_LIST_VERSION
    assert "note" not in shown
    rows = {one["rule"]: one for one in shown["list"]}
    assert rows["api.example.com"] == {
        "rule": "api.example.com",
        "shown": "api.example.com",
        "origin": "declared",
        "in_force": True,
        "purpose": "Templates.",
    }
    assert rows["{host}:{port}"]["slots"] == {"host": given.HOST, "port": given.PORT}
    assert not rows["{host}:{port}"]["in_force"]
    added = rows["xn--bcher-kva.example.org"]
    assert added["shown"] == "bücher.example.org (xn--bcher-kva.example.org)"
    assert (added["origin"], added["by"], added["reason"]) == ("added", "root", "Our pictures.")
    assert rows["smtp.example.net:587"]["accounts"] == 1
    [change] = shown["changes"]
    assert (change["what"], change["by"], change["revision"]) == ("added", "root", 2)
    assert change["suffix_list"] == SUFFIX_LIST_VERSION


async def test_what_was_decided_before_the_lists_were_recorded_is_shown_without_them(
    world: World, client: Client
) -> None:
    await world.apply(given.install())
    await world.apply(given.add(PICTURES))
    async with world.database.writer.begin() as connection:
        for statement in (
            "UPDATE consent SET suffix_list = NULL",
            "UPDATE domain_change SET suffix_list = NULL",
            """UPDATE installation SET consent = consent - 'suffix_list',
                added = added #- '{0,suffix_list}'""",
        ):
            # Of the twin brand nothing may change.
            mine = f"{statement} WHERE brand_id = :brand AND extension = :slug"
            await connection.execute(text(mine), {"brand": world.brand, "slug": LOUD})

    whole = await client.shown(f"installations/{LOUD}")
    domains = await client.shown(f"installations/{LOUD}/domains")

    for one in (whole["consents"][0], whole["consent"], whole["added"][0], domains["changes"][0]):
        assert "suffix_list" not in one


async def test_without_domains_all_are_blocked_in_these_words(client: Client) -> None:
    shown = await client.shown(f"installations/{WEB}/domains")

    assert (shown["domains"], shown["note"]) == ([], ALL_BLOCKED)


async def test_the_impact_shows_what_is_touched(world: World, client: Client) -> None:
    await world.apply(given.install())
    await world.apply(given.add(PICTURES))
    await world.hear(
        given.account("a2", creator="bob"),
        given.account("a1"),
        given.account("a3"),
        given.account_deleted("a4"),
        given.account("b1", RELAY),
        given.engine("e1", (LOUD, 2, 3), (RELAY, 1, 1)),
        given.engine("e2", (LOUD, 1, 1)),
        given.engine("e3", (LOUD, 5, 5), is_retired=True),
    )

    shown = await client.shown(f"installations/{LOUD}/impact")

    assert shown["users"] == ["ada", "bob"]
    assert (shown["user_count"], shown["account_count"]) == (2, 3)
    assert [one["account_id"] for one in shown["accounts"]] == ["a1", "a2", "a3"]
    assert [
        (one["engine_id"], one["name"], one["workflows"], one["tasks"]) for one in shown["engines"]
    ] == [("e1", "Engine e1", 2, 3), ("e2", "Engine e2", 1, 1)]
    assert (shown["workflow_count"], shown["task_count"], shown["added_domains"]) == (3, 4, 1)
    assert (await world.apply(given.uninstall(revision=shown["revision"]))).changed


async def test_the_revision_is_over_exactly_what_is_shown(world: World, client: Client) -> None:
    await world.apply(given.install())
    shown = await client.shown(f"installations/{LOUD}/impact")

    covered = {name: one for name, one in shown.items() if name not in {"revision", "note"}}
    said = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    assert shown["revision"] == sha256(said).hexdigest()


async def test_more_than_a_hundred_are_counted_and_the_first_named(
    world: World, client: Client
) -> None:
    await world.apply(given.install())
    await world.hear(*(given.account(f"a{one:03}", creator=f"u{one:03}") for one in range(120)))

    shown = await client.shown(f"installations/{LOUD}/impact")

    assert (len(shown["accounts"]), shown["account_count"]) == (100, 120)
    assert (len(shown["users"]), shown["user_count"]) == (100, 120)


@pytest.mark.parametrize(("slug", "status"), [(RELAY, 409), (NEWS, 404), ("nobody-knows", 404)])
async def test_what_cannot_be_uninstalled_has_no_impact(
    client: Client, slug: str, status: int
) -> None:
    assert (await client.get(f"installations/{slug}/impact")).status_code == status


async def test_only_an_administrator_sees_whom_an_uninstallation_touches(
    world: World, client: Client
) -> None:
    await world.apply(given.install())

    answer = await client.get(f"installations/{LOUD}/impact", roles=("member",))

    assert answer.status_code == 403


async def test_decisions_are_made_one_or_many_at_once(world: World, client: Client) -> None:
    await world.apply(given.install())

    answer = await client.decide(
        {"extension": LOUD, "url": "https://api.example.com/v1"},
        {"extension": LOUD, "url": "https://example.org/"},
        {"extension": LOUD, "data": "contacts"},
        {"extension": LOUD, "data": "tickets"},
        {"extension": WEB, "url": "https://api.example.com/v1"},
        {"extension": STRICT, "url": "https://api.example.com/v1"},
    )

    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body["suffix_list_version"] == SUFFIX_LIST_VERSION
    assert {one["suffix_list"] for one in body["decisions"]} == {SUFFIX_LIST_VERSION}
    assert [(one["allowed"], one["code"]) for one in body["decisions"]] == [
        (True, "allowed"),
        (False, "not_listed"),
        (True, "allowed"),
        (False, "not_permitted"),
        (False, "nothing_listed"),
        (False, "not_installed"),
    ]
    assert body["decisions"][0]["rule"] == "api.example.com"
    assert body["decisions"][0]["revision"] == 1
    assert body["decisions"][4]["message"].startswith(ALL_BLOCKED)


async def test_a_thousand_decisions_are_made_and_no_more(client: Client) -> None:
    question = {"extension": WEB, "url": "https://api.example.com/"}

    most = await client.decide(*[question] * 1000)
    more = await client.decide(*[question] * 1001)
    none = await client.decide()

    assert len(most.json()["decisions"]) == 1000
    assert (more.status_code, none.status_code) == (422, 422)


async def test_a_question_that_asks_two_things_or_none_is_invalid(client: Client) -> None:
    both = {"extension": WEB, "url": "https://api.example.com/", "data": "contacts"}

    assert (await client.decide(both)).status_code == 422
    assert (await client.decide({"extension": WEB})).status_code == 422


async def test_nobody_sees_what_another_brand_has(world: World, client: Client) -> None:
    """The twin has installed it, with a domain of its own; this brand has not."""
    twin = await client.shown(f"installations/{LOUD}", brand="twin")
    assert PICTURES in twin["domains"]
    for path in ("", "/domains", "/impact"):
        assert (await client.get(f"installations/{LOUD}{path}")).status_code == 404
    [decision] = (
        await client.decide({"extension": LOUD, "url": "https://api.example.com/"})
    ).json()["decisions"]
    assert decision["code"] == "not_installed"

    await world.apply(given.install())
    await world.hear(given.account("a9"))
    impact = await client.shown(f"installations/{LOUD}/impact")
    assert [one["account_id"] for one in impact["accounts"]] == ["a9"]
    assert (await client.shown(f"installations/{LOUD}/domains"))["changes"] == []


async def test_without_a_token_nothing_is_answered(client: Client) -> None:
    for path in ("installations", f"installations/{LOUD}", f"installations/{LOUD}/review"):
        assert (await client.http.get(f"/v1/{path}")).status_code == 401
    assert (await client.http.post("/v1/decisions", json={"questions": []})).status_code == 401


async def test_the_readers_role_reads_its_own_brand_alone(world: World) -> None:
    async with world.database.reader.connect() as connection:
        await connection.exec_driver_sql("SELECT set_config('app.brand', 'acme', true)")
        for table in ("installation", "consent", "domain_change", "account", "licence", "due"):
            found = await connection.exec_driver_sql(
                f"SELECT count(*) FROM {table} WHERE brand_id <> 'acme'"  # noqa: S608  our own names
            )
            assert found.scalar_one() == 0, table
