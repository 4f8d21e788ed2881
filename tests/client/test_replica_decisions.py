"""Decisions about access in this process, on a real broker: by all that was announced."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest
from keyturn_client import Replica, ReplicaSettings, Services
from keyturn_client.settings import BackendSettings
from keyturn_client.wire import Record
from keyturn_contracts.message import Event
from keyturn_contracts.rights import Code, Decision

from tests.client.kafka import kafka_of, write_as
from tests.client.replicas import (
    LOUD,
    account,
    announced,
    deleted,
    disabled,
    enabled,
    granted,
    installed,
    outcome,
    registered,
    removed,
    revoked,
)
from tests.running_stack import RunningStack
from tests.waiting import eventually

SOON = timedelta(milliseconds=50)
LONG = timedelta(seconds=60)
USABLE = (account(), installed(LOUD, "api.example.com"), enabled())


@pytest.fixture
def brand() -> str:
    return f"b{uuid4().hex[:12]}"


@pytest.fixture
def settings(stack: RunningStack, tmp_path: Path, brand: str) -> ReplicaSettings:
    return ReplicaSettings(kafka=kafka_of(stack.kafka, "engine", tmp_path), brand=brand)


async def announce(
    stack: RunningStack, brand: str, *events: Event, sequence: int = 1, type_name: str | None = None
) -> None:
    """Announce each as the service does that owns it."""
    by_service: dict[str, list[Record]] = {}
    for one in events:
        record = announced(one, brand, sequence=sequence, type_name=type_name)
        by_service.setdefault(one.service, []).append(record)
    for service, records in by_service.items():
        await write_as(stack.kafka, service, records)


async def until_it_says(replica: Replica, code: Code, member: str = "bob") -> Decision:
    await eventually(lambda: replica.decide(member, "use", "mail").code == code)
    return replica.decide(member, "use", "mail")


async def until_all_is_heard(replica: Replica) -> None:
    """Wait until the copy is known to hold what was announced before this."""
    since = time.monotonic()

    def is_newer() -> bool:
        now, age = time.monotonic(), replica.age
        return age is not None and now - age.total_seconds() > since

    await eventually(is_newer)


async def test_what_was_announced_before_is_decided_by_when_it_is_entered(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    await announce(stack, brand, *USABLE, granted("ada", level="owner"), granted("bob"))

    async with Replica(settings) as replica:
        assert replica.decide("ada", "use", "mail").way == "owner"
        assert replica.decide("ada", "delete", "mail").allowed
        assert replica.decide("bob", "use", "mail").way == "user"
        assert replica.decide("bob", "share", "mail").code == "not_an_owner"
        assert replica.decide("eve", "use", "mail").code == "no_access"
        assert replica.decide("bob", "use", "other").code == "account_unknown"
        assert replica.decide_extension("eve", LOUD).way == "enabled_for_everyone"
        assert replica.decide_extension("eve", "other").code == "not_installed"
        assert replica.kept == 4
        assert replica.explain("bob", "use", "mail")[-1] == "bob may use mail."
        assert replica.explain("eve", "use", "mail") == (
            "Nobody gave eve access to mail: ask one of its owners.",
        )
        assert replica.explain_extension("eve", LOUD)[-1] == "It is enabled for everyone."


ENDS: list[tuple[Event, Code]] = [
    (revoked("bob"), "no_access"),
    (disabled(), "not_enabled"),
    (removed("bob"), "not_a_member"),
    (deleted(), "account_deleted"),
    (installed(state="suspended"), "not_licensed"),
    (installed(state="uninstalling"), "not_installed"),
]


@pytest.mark.parametrize(("end", "code"), ENDS, ids=[code for _, code in ENDS[:-1]] + ["ending"])
async def test_what_is_taken_away_is_followed_and_known_after_a_restart(
    stack: RunningStack, settings: ReplicaSettings, brand: str, end: Event, code: Code
) -> None:
    await announce(stack, brand, *USABLE, granted("bob"))
    async with Replica(settings) as replica:
        assert replica.decide("bob", "use", "mail").allowed

        await announce(stack, brand, end, sequence=2)
        await until_it_says(replica, code)
        await announce(stack, brand, *USABLE, granted("bob"))
        await until_all_is_heard(replica)
        assert replica.decide("bob", "use", "mail").code == code, "what comes again is old"

    async with Replica(settings) as replica:
        assert replica.decide("bob", "use", "mail").code == code


async def test_everyones_access_covers_who_has_none_of_their_own(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    await announce(stack, brand, *USABLE, granted())
    async with Replica(settings) as replica:
        assert replica.decide("bob", "use", "mail").way == "everyone"
        assert replica.decide("bob", "edit", "mail").code == "not_an_owner"

        await announce(stack, brand, granted("bob"), sequence=1)
        await eventually(lambda: replica.decide("bob", "use", "mail").way == "user")
        await announce(stack, brand, revoked(), sequence=2)
        await until_it_says(replica, "no_access", "eve")
        assert replica.decide("bob", "use", "mail").allowed


async def test_a_grant_ends_when_it_says_so_and_nobody_announced_it(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    until = datetime.now(UTC) + timedelta(seconds=3)
    await announce(stack, brand, *USABLE, granted("bob", until=until))
    async with Replica(settings) as replica:
        found = replica.decide("bob", "use", "mail")
        assert found.allowed or datetime.now(UTC) >= until

        await until_it_says(replica, "no_access")
        assert datetime.now(UTC) >= until


async def test_of_another_brand_nothing_is_kept(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    theirs = (*USABLE, granted("bob"), granted(), registered("bob"))
    await announce(stack, f"{brand}-twin", *theirs)
    async with Replica(settings) as replica:
        assert replica.kept == 0
        assert replica.decide("bob", "use", "mail").code == "account_unknown"
        assert replica.decide_extension("bob", LOUD).code == "not_installed"

        # What is theirs and comes later, with the same names, changes nothing of ours.
        await announce(stack, brand, *USABLE, granted("bob"))
        await until_it_says(replica, "allowed")
        await announce(stack, f"{brand}-twin", deleted(), revoked("bob"), sequence=9)
        await announce(stack, brand, granted("eve"))
        await until_it_says(replica, "allowed", "eve")
        assert replica.decide("bob", "use", "mail").allowed
        assert replica.kept == 4


async def test_who_asks_with_an_outcome_is_answered_by_nothing_older(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    await announce(stack, brand, *USABLE, granted("bob"))
    gone = outcome(revoked("bob"), sequence=2)
    async with Replica(settings) as replica:
        assert replica.decide("bob", "use", "mail", at_least=outcome(granted("bob"))).allowed
        assert replica.decide("bob", "use", "mail", at_least=gone).code == "copy_too_old"
        found = await replica.ask("bob", "use", "mail", at_least=gone, within=SOON)
        assert found.code == "copy_too_old"

        asking = asyncio.create_task(replica.ask("bob", "use", "mail", at_least=gone, within=LONG))
        await announce(stack, brand, revoked("bob"), sequence=2)
        assert (await asking).code == "no_access"


async def test_outcomes_of_the_vault_and_of_installations_can_be_asked_with_too(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    await announce(stack, brand, *USABLE, granted("bob"))
    changes = outcome(deleted(), installed(state="uninstalling"), sequence=2)
    async with Replica(settings) as replica:
        assert not replica.decide_extension("bob", LOUD, at_least=changes).allowed
        asking = asyncio.create_task(
            replica.ask_extension("bob", LOUD, at_least=changes, within=LONG)
        )
        await announce(stack, brand, deleted(), installed(state="uninstalling"), sequence=2)
        assert (await asking).code == "not_installed"
        found = replica.decide("bob", "use", "mail", at_least=changes)
        assert found.code == "account_deleted"


async def test_an_outcome_that_does_not_name_all_is_answered_by_nobody_here(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    many = [granted(f"user{n}") for n in range(100)]
    await announce(stack, brand, *USABLE, *many)
    more, same = outcome(*many, announced=101), outcome(changed=False)
    async with Replica(settings) as replica:
        assert replica.decide("user0", "use", "mail", at_least=outcome(*many)).allowed
        for at_least in (more, same, outcome(many[0], not_applied=1), 1):
            found = replica.decide("user0", "use", "mail", at_least=at_least)
            assert found.code == "copy_too_old"
            found = await replica.ask("user0", "use", "mail", at_least=at_least, within=LONG)
            assert found.code == "copy_too_old", "nobody is there to ask"


async def test_what_cannot_be_read_is_answered_by_nobody_here(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    await announce(stack, brand, *USABLE, account("other"), granted(), granted(account_id="other"))
    async with Replica(settings) as replica:
        assert replica.decide("bob", "use", "mail").allowed

        frozen = "keyturn.access.AccessFrozen.v1"
        await announce(stack, brand, granted(), sequence=2, type_name=frozen)
        await until_it_says(replica, "copy_too_old")
        assert "cannot be read here" in replica.explain("bob", "use", "mail")[0]
        assert replica.decide("bob", "use", "other").allowed

        frozen = "keyturn.installation.ExtensionFrozen.v1"
        await announce(stack, brand, installed(), sequence=2, type_name=frozen)
        await eventually(lambda: replica.decide("bob", "use", "other").code == "copy_too_old")
        assert replica.decide_extension("bob", LOUD).code == "copy_too_old"
        assert "cannot be read here" in replica.explain_extension("bob", LOUD)[0]
        assert replica.decide("bob", "edit", "other").code == "not_an_owner", "needs no extension"


async def test_beyond_what_may_be_kept_nothing_about_access_is_known(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    await announce(stack, brand, *USABLE, granted("bob"))
    few = settings.model_copy(update={"max_kept": 2})
    async with Replica(few) as replica:
        assert replica.is_overfull
        assert replica.decide("bob", "use", "mail").code == "copy_too_old"
        assert replica.decide_extension("bob", LOUD).code == "copy_too_old"
        assert "Raise `max_kept`" in replica.explain("bob", "use", "mail")[0]
        assert (await replica.ask("bob", "use", "mail", within=SOON)).code == "copy_too_old"
        assert replica.may_connect(LOUD, "https://api.example.com").allowed, "that is known"


async def test_before_it_is_entered_and_after_it_was_left_nothing_is_allowed(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    await announce(stack, brand, *USABLE, granted("bob"))
    replica = Replica(settings.model_copy(update={"max_age": timedelta(seconds=1)}))
    assert replica.decide("bob", "use", "mail").code == "copy_too_old"
    assert "is loaded" in replica.explain("bob", "use", "mail")[0]

    async with replica:
        await until_it_says(replica, "allowed")
    await until_it_says(replica, "copy_too_old")
    assert "s old and may be 1 s old" in replica.explain_extension("bob", LOUD)[0]


def test_who_asks_for_a_replica_is_of_its_brand_and_knows_whom_to_ask(
    settings: ReplicaSettings, tmp_path: Path
) -> None:
    services = Services(credential_vault="http://x", workflow="http://x", access="http://x")
    backend = BackendSettings(
        kafka=settings.kafka,
        services=services,
        brand=settings.brand,
        key_file=tmp_path / "key.json",
        subject="ada",
    )
    told = settings.model_dump() | {"ask_as": backend.model_dump()}
    assert ReplicaSettings.model_validate(told).ask_as == backend
    with pytest.raises(ValueError, match="of the replica's brand"):
        ReplicaSettings.model_validate(told | {"brand": "other"})
    cast("dict[str, object]", told["ask_as"])["services"] = services.model_copy(
        update={"access": None}
    ).model_dump()
    with pytest.raises(ValueError, match="its address"):
        ReplicaSettings.model_validate(told)
