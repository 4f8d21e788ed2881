"""Licences that operators set, and that follow the plans of the configuration."""

import asyncio

import pytest
from keyturn_contracts.catalog import LicenceChanged
from sqlalchemy import select

from services.catalog.rules.plan import PlanError
from services.catalog.tables import LicenceRow
from tests.batches import deliver
from tests.catalog.given import RELAY, first_party, licence, third_party
from tests.catalog.world import HANDLERS, World

PLANS = {"mail": ["smtp-relay"], "more": ["slack", "parcels"]}


@pytest.fixture
async def filled(world: World) -> World:
    """Return a world with extensions and plans; nothing of it is left to be announced."""
    await world.given(RELAY, third_party(), first_party("slack"))
    await world.plan(PLANS)
    return world


async def covers(world: World, brand: str = "acme") -> list[str] | None:
    async with world.database.writer.connect() as connection:
        query = select(LicenceRow.covers).where(LicenceRow.brand_id == brand)
        return await connection.scalar(query)


async def test_a_licence_is_kept_and_told_under_a_key_without_an_id(filled: World) -> None:
    outcome = await filled.applied(licence("parcels", "slack", plans=["mail"]))

    assert outcome.changed
    assert [one.subject for one in outcome.events] == ["licence"]
    assert await filled.licence_events() == {
        "acme/licence": LicenceChanged(
            extensions=("parcels", "slack", "smtp-relay"), plans=("mail",)
        )
    }
    assert await covers(filled) == ["parcels", "slack", "smtp-relay"]


async def test_the_same_licence_again_announces_nothing(filled: World) -> None:
    await filled.applied(licence("slack"))
    await filled.announced()

    again = await filled.applied(licence("slack", "slack"))

    assert not again.changed
    assert await filled.announced() == []


async def test_a_licence_grows_and_shrinks_for_one_brand_alone(filled: World) -> None:
    await filled.applied(licence("slack", brand="umbrella"))

    await filled.answers(licence("slack"), licence("slack", "parcels"), licence())

    async with filled.database.writer.connect() as connection:
        rows = await connection.execute(
            select(LicenceRow.brand_id, LicenceRow.covers).where(LicenceRow.brand_id != "twin")
        )
        assert {row.brand_id: row.covers for row in rows} == {"acme": [], "umbrella": ["slack"]}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (licence("slack", roles=["administrator"]), "not_an_operator"),
        (licence("slack", "slak"), "extension_unknown"),
        (licence("slack", plans=["the-twins-cousin"]), "plan_unknown"),
    ],
)
async def test_a_refusal_leaves_the_licence_as_it_was(
    filled: World, asked: object, reason: str
) -> None:
    await filled.applied(licence("parcels"))
    await filled.announced()

    batch = await deliver(filled.database.writer, HANDLERS, asked)  # pyright: ignore[reportArgumentType]  one of the commands above

    [(_, outcome)] = batch.answers
    assert getattr(outcome, "reason", None) == reason
    assert await filled.announced() == []
    assert await covers(filled) == ["parcels"]


async def test_five_thousand_extensions_fit_a_licence(filled: World) -> None:
    slugs = sorted(f"e{number}-{'x' * 50}" for number in range(5000))
    await filled.start(*(first_party(slug) for slug in slugs))
    await filled.announced()

    await filled.applied(licence(*slugs))

    [changed] = (await filled.licence_events()).values()
    assert list(changed.extensions) == slugs


async def test_a_plan_that_changes_is_announced_for_each_brand_that_has_it(filled: World) -> None:
    await filled.answers(
        licence("slack", plans=["mail"]),
        licence(plans=["mail", "more"], brand="umbrella"),
        licence("slack", brand="initech"),
    )
    await filled.announced()

    moved = await filled.plan({"mail": ["smtp-relay", "parcels"], "more": []})

    assert moved == 2
    assert await filled.licence_events() == {
        "acme/licence": LicenceChanged(
            extensions=("parcels", "slack", "smtp-relay"), plans=("mail",)
        ),
        "umbrella/licence": LicenceChanged(
            extensions=("parcels", "smtp-relay"), plans=("mail", "more")
        ),
    }
    assert await covers(filled, "initech") == ["slack"]


async def test_a_plan_that_changes_nothing_for_a_brand_is_not_announced_for_it(
    filled: World,
) -> None:
    await filled.answers(licence("slack", "parcels", plans=["mail", "more"]))
    await filled.announced()

    assert await filled.plan({**PLANS, "more": ["slack"], "new": ["slack"]}) == 0
    assert await filled.plan({**PLANS, "more": ["slack"], "new": ["slack"]}) == 0

    assert await filled.announced() == []
    await filled.applied(licence(plans=["new"], brand="umbrella"))


async def test_processes_that_start_together_announce_a_changed_plan_once(filled: World) -> None:
    await filled.answers(licence(plans=["mail"]))
    await filled.announced()

    moved = await asyncio.gather(*(filled.plan({**PLANS, "mail": ["slack"]}) for _ in range(6)))

    assert sorted(moved) == [0] * 5 + [1]
    assert list(await filled.licence_events()) == ["acme/licence"]


async def test_a_plan_that_brands_have_may_become_empty_but_not_vanish(filled: World) -> None:
    await filled.answers(licence(plans=["mail"]))
    await filled.announced()

    with pytest.raises(PlanError, match="Brands have the plans mail, which are gone"):
        await filled.plan({"more": ["slack"]})
    unchanged = await covers(filled)
    await filled.plan({**PLANS, "mail": []})

    assert unchanged == ["smtp-relay"]
    assert await covers(filled) == []
    assert list(await filled.licence_events()) == ["acme/licence"]


async def test_a_plan_that_nobody_has_goes_with_its_entry(filled: World) -> None:
    await filled.plan({"mail": ["smtp-relay"]})

    assert (await filled.refused(licence(plans=["more"]))).reason == "plan_unknown"


async def test_a_plan_with_a_slip_in_a_name_is_not_followed(filled: World) -> None:
    with pytest.raises(PlanError, match="The plans mail name extensions that were never"):
        await filled.plan({**PLANS, "mail": ["smtp-rely"]})

    assert (await filled.applied(licence(plans=["mail"]))).changed
    assert await covers(filled) == ["smtp-relay"]
