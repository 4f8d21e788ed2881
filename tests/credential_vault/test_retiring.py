"""Earlier versions are retired when a completed rollout, or somebody, says so."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from keyturn_contracts.credential_vault import CredentialsRetired, DeleteAccount
from keyturn_contracts.workflow import RolloutEnded, RolloutProgressed

from services.credential_vault.jobs.retiring import plan_retirements
from services.credential_vault.store.claims import claim_retirements
from services.credential_vault.store.fetches import Fetched, record_holders
from tests.batches import asked, news
from tests.credential_vault.vault import Vault, completed


async def given_holder(vault: Vault, engine_id: str, version: int) -> None:
    async with vault.engine.begin() as connection:
        await record_holders(connection, "acme", [Fetched("mail", engine_id, version, None)])


async def given_far_too_many_holders(vault: Vault, account_id: str) -> None:
    await vault.execute(
        "INSERT INTO holder (brand_id, account_id, engine_id, version) "
        "SELECT 'acme', :id, lpad(n::text, 128, 'e'), 2 FROM generate_series(1, 8000) n",
        id=account_id,
    )


async def last_event(vault: Vault) -> CredentialsRetired:
    return CredentialsRetired.model_validate_json((await vault.events())[-1].value)


async def test_the_previous_version_stays_until_its_replacement_is_everywhere(
    vault: Vault,
) -> None:
    await vault.given_account()
    await vault.given_rotation(retire="when-complete")

    assert await vault.retire() == 0
    assert await vault.versions() == {1: "previous", 2: "current"}
    await vault.hear(completed())
    assert await vault.retire() == 1

    assert await vault.versions() == {1: "retired", 2: "current"}
    assert await vault.rows("SELECT number FROM secret WHERE brand_id = 'acme'") == [(2,)]
    assert (await vault.audited())[-1] == ("retire", "done", None, 1, "credential-vault", None)
    assert await vault.retire() == 0


async def test_engines_that_held_only_what_was_retired_are_no_holders_any_more(
    vault: Vault,
) -> None:
    await vault.given_account()
    await given_holder(vault, "e1", 1)
    await given_holder(vault, "e2", 1)
    await vault.given_rotation(retire="when-complete")
    await given_holder(vault, "e2", 2)
    await vault.hear(completed())

    await vault.retire()

    retired = await last_event(vault)
    assert (retired.version, retired.unretired) == (2, ())
    assert [one.engine_id for one in retired.holders] == ["e2"]
    assert await vault.rows("SELECT engine_id, version FROM holder WHERE brand_id = 'acme'") == [
        ("e2", 2)
    ]


async def test_a_pause_counts_from_when_the_vault_read_the_completion(vault: Vault) -> None:
    await vault.given_account()
    await vault.given_rotation(retire="PT15M")
    await vault.hear(completed())
    assert await vault.retire() == 0
    assert await vault.rows(
        "SELECT version.retire_at - completion.read_at = interval '15 min' FROM version "
        "JOIN completion USING (brand_id, account_id) "
        "WHERE brand_id = 'acme' AND version.number = 1"
    ) == [(True,)]

    await vault.execute(
        "UPDATE version SET retire_at = now() - interval '1 s' "
        "WHERE brand_id = 'acme' AND number = 1"
    )

    assert await vault.retire() == 1
    assert await vault.versions() == {1: "retired", 2: "current"}


async def test_a_completion_that_comes_again_postpones_nothing(vault: Vault) -> None:
    await vault.given_account()
    await vault.given_rotation(retire="PT15M")
    heard = news(completed(), 50)
    await vault.deliver(heard)
    await plan_retirements(vault.engine, vault.accounts)
    planned = await vault.rows("SELECT retire_at FROM version WHERE brand_id = 'acme'")
    await vault.deliver(heard)
    await vault.deliver(news(completed(), 51))
    await plan_retirements(vault.engine, vault.accounts)

    assert await vault.rows("SELECT retire_at FROM version WHERE brand_id = 'acme'") == planned
    assert await vault.rows(
        "SELECT count(*) FROM completion WHERE brand_id = 'acme' AND NOT is_planned"
    ) == [(0,)]


@pytest.mark.parametrize(
    "other",
    [
        RolloutProgressed.model_validate(completed().model_dump() | {"state": "open"}),
        RolloutEnded.model_validate(completed().model_dump() | {"state": "superseded"}),
        completed(version=1),
        completed(account_epoch=2),
        completed(account_epoch=0),
    ],
    ids=["open", "superseded", "its own version", "epoch above", "epoch below"],
)
async def test_no_other_news_of_a_rollout_retires_anything(vault: Vault, other: Any) -> None:
    await vault.given_account()
    await vault.given_rotation(retire="when-complete")

    await vault.hear(other)

    assert await vault.retire() == 0
    assert await vault.versions() == {1: "previous", 2: "current"}


async def test_the_newest_completion_retires_every_version_below_it(vault: Vault) -> None:
    await vault.given_account()
    await vault.given_rotation(retire="when-complete")
    await vault.given_rotation(retire="when-complete")

    await vault.hear(completed(version=3))
    assert await vault.retire() == 2

    assert await vault.versions() == {1: "retired", 2: "retired", 3: "current"}
    assert await vault.told() == [
        "AccountAdded",
        "CredentialsRotated",
        "CredentialsRotated",
        "CredentialsRetired",
    ]
    assert (await last_event(vault)).unretired == ()


async def test_completions_of_one_account_in_one_batch_leave_the_newest(vault: Vault) -> None:
    await vault.given_account()
    await vault.deliver(
        news(completed(version=3), 5), news(completed(version=2), 9), news(completed(version=1), 7)
    )

    assert await vault.rows(
        "SELECT account_epoch, version FROM completion WHERE brand_id = 'acme'"
    ) == [(1, 3)]


async def test_when_a_deletion_is_everywhere_every_version_is_retired_at_once(
    vault: Vault,
) -> None:
    await vault.given_account()
    await vault.given_rotation(retire="P30D")
    await vault.hear(completed(version=2))
    await given_holder(vault, "e1", 1)
    await given_holder(vault, "e2", 2)
    assert await vault.retire() == 0
    await vault.deliver(asked(DeleteAccount(account_id="mail")))
    assert await vault.retire() == 0

    await vault.hear(completed(version=3))
    assert await vault.retire() == 2

    assert await vault.versions() == {1: "retired", 2: "retired"}
    assert await vault.rows("SELECT 1 FROM secret WHERE brand_id = 'acme'") == []
    retired = await last_event(vault)
    assert (retired.state, retired.version, retired.unretired, retired.holders) == (
        "deleted",
        3,
        (),
        (),
    )


async def test_a_retirement_belongs_to_one_worker_until_its_lease_has_run_out(
    vault: Vault,
) -> None:
    """The first one dies while it revokes at the provider."""
    await vault.given_account()
    await vault.given_rotation(retire="now")
    async with vault.engine.begin() as connection:
        _, places = await claim_retirements(connection, 10, timedelta(minutes=1))
    assert [one.number for one in places] == [1]

    assert await vault.retire() == 0
    await vault.execute(
        "UPDATE version SET leased_until = now() - interval '1 s' WHERE brand_id = 'acme'"
    )
    assert await vault.retire() == 1

    assert await vault.versions() == {1: "retired", 2: "current"}


async def test_two_workers_at_once_retire_once(vault: Vault) -> None:
    await vault.given_account()
    await vault.given_rotation(retire="now")

    retired = await asyncio.gather(*[vault.retire() for _ in range(4)])

    assert sorted(retired) == [0, 0, 0, 1]
    assert (await vault.told()).count("CredentialsRetired") == 1


async def test_a_table_of_secrets_is_vacuumed_for_a_single_dead_row(vault: Vault) -> None:
    rows = await vault.rows(
        "SELECT relname, reloptions FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace "
        "AND relname IN ('secret', 'transport_key') ORDER BY relname"
    )

    for _, options in rows:
        assert {
            "autovacuum_vacuum_threshold=0",
            "autovacuum_vacuum_scale_factor=0",
        } <= set(options)
    assert [name for name, _ in rows] == ["secret", "transport_key"]


async def test_an_account_of_which_nothing_can_be_told_any_more_holds_up_no_other(
    vault: Vault,
) -> None:
    for account_id in ("mail", "post"):
        await vault.given_account(account_id)
        await vault.given_rotation(account_id, retire="now")
    await given_far_too_many_holders(vault, "mail")

    await vault.retire()

    rows = await vault.rows(
        "SELECT account_id, status FROM version WHERE brand_id = 'acme' AND number = 1 ORDER BY 1"
    )
    assert rows == [("mail", "previous"), ("post", "retired")]
