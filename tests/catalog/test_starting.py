"""What the catalog comes with, what an operator sets, and what keeps it from starting."""

from pathlib import Path
from typing import Any

import pytest

from services.catalog import app
from services.catalog.app import PLANS, catalog_service, main
from services.catalog.jobs import EXAMPLES, MANIFESTS, read_manifests
from services.catalog.rules.plan import read_plans
from services.catalog.settings import CatalogSettings
from shared.messaging.context import Context
from shared.messaging.issuers import Issuers
from shared.settings import ServiceSettings
from tests.catalog.given import licence
from tests.catalog.world import World
from tests.running_stack import RunningStack

SHIPPED = {one.slug for one in read_manifests(MANIFESTS)}


async def start(stack: RunningStack, world: World, folder: Path, **settings: Any) -> None:
    service = catalog_service(CatalogSettings(**settings))
    assert service.prepare is not None
    await service.prepare(
        Context(
            settings=stack.settings_of("catalog"),
            writer=world.database.writer,
            reader=world.database.reader,
            redis=None,
            issuers=Issuers(folder),
        )
    )


def test_everything_first_party_is_all_that_is_shipped() -> None:
    plans = read_plans(PLANS.read_text(encoding="utf-8"))

    assert set(plans["everything-first-party"]) == SHIPPED
    assert all(set(slugs) <= SHIPPED for slugs in plans.values())


async def test_a_start_publishes_what_it_comes_with_and_follows_its_plans(
    stack: RunningStack, world: World, tmp_path: Path
) -> None:
    await start(stack, world, tmp_path)
    first = await world.extension_events()
    await start(stack, world, tmp_path)
    again = await world.announced()
    await world.applied(licence(plans=["everything-first-party"]))

    [changed] = (await world.licence_events()).values()
    assert {one.manifest.slug for one in first} == SHIPPED
    assert {one.manifest.party for one in first} == {"first"}
    assert again == []
    assert set(changed.extensions) == SHIPPED


async def test_examples_are_published_where_they_are_asked_for(
    stack: RunningStack, world: World, tmp_path: Path
) -> None:
    await start(stack, world, tmp_path, examples=True)

    told = {one.manifest.slug: one.manifest.party for one in await world.extension_events()}

    examples = {one.slug for one in read_manifests(EXAMPLES)}
    assert {slug for slug, party in told.items() if party == "third"} == examples != set()


async def test_an_operators_plan_takes_the_place_of_a_shipped_one(
    stack: RunningStack, world: World, tmp_path: Path
) -> None:
    await start(stack, world, tmp_path, plans={"messages": ("slack",), "own": ("jira",)})
    await world.announced()

    await world.applied(licence(plans=["messages", "own"]))

    [changed] = (await world.licence_events()).values()
    assert changed.extensions == ("jira", "slack")


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"licence_contact": 7}, "licence_contact (string_type)"),
        ({"platfrom": "Turnstile"}, "platfrom (extra_forbidden)"),
        ({"platform": ""}, "is wrong: platform (string_too_short)."),
        ({"plans": {"own": ["Not a slug"]}}, "plans.own.0 (string_pattern_mismatch)"),
        ({"support": {"name": "S", "email": "nobody"}}, "support.email (string_pattern_mismatch)"),
    ],
)
def test_settings_that_are_wrong_are_named_and_never_quoted(
    stack: RunningStack, extra: dict[str, Any], said: str
) -> None:
    settings = stack.settings_of("catalog").model_copy(update={"extra": extra})

    with pytest.raises(SystemExit) as refused:
        main(settings)

    assert said in str(refused.value)
    assert "Not a slug" not in str(refused.value)


def test_plans_that_cannot_be_read_keep_it_from_starting(
    stack: RunningStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "plans.yaml"
    wrong.write_text("mail: smtp-relay\n", encoding="utf-8")
    monkeypatch.setattr(app, "PLANS", wrong)
    settings: ServiceSettings = stack.settings_of("catalog")

    with pytest.raises(SystemExit, match="The plans are wrong at mail"):
        main(settings)
