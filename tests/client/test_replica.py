"""A copy in this process, on a real broker: what it hears, and that it never allows by old news."""

import socket
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from keyturn_client import Judgement, Kafka, Replica, ReplicaSettings, UnreachableError
from keyturn_client.wire import Record
from keyturn_contracts.domains import SUFFIX_LIST_VERSION
from keyturn_contracts.installation import (
    ALL_BLOCKED,
    DomainsChanged,
    ExtensionInstalled,
    ExtensionSuspended,
    ExtensionUninstalled,
    InstallationChanged,
    InstallationState,
    UninstallStarted,
)
from keyturn_contracts.reaching import JudgementCode, judge_data, judge_url

from tests.client.kafka import kafka_of, write_as
from tests.client.replicas import LOUD, announced, installed
from tests.running_stack import RunningStack
from tests.waiting import eventually

HOST = "api.example.com"
URL = f"https://{HOST}/v1"


@pytest.fixture
def brand() -> str:
    return f"b{uuid4().hex[:12]}"


@pytest.fixture
def settings(stack: RunningStack, tmp_path: Path, brand: str) -> ReplicaSettings:
    return ReplicaSettings(kafka=kafka_of(stack.kafka, "engine", tmp_path), brand=brand)


async def announce(stack: RunningStack, *records: Record) -> None:
    await write_as(stack.kafka, "installation", records)


async def until_it_says(replica: Replica, code: JudgementCode) -> Judgement:
    """Return the answer about the URL as soon as it is for this reason."""
    await eventually(lambda: replica.may_connect(LOUD, URL).code == code)
    return replica.may_connect(LOUD, URL)


async def test_what_was_announced_before_is_known_when_it_is_entered(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    events = [
        installed(f"mail-{n}", HOST, permissions=("contacts",), domains_revision=n + 1)
        for n in range(50)
    ]
    await announce(stack, *(announced(one, brand) for one in events))

    async with Replica(settings) as replica:
        for one in events:
            for url in (URL, "https://example.org", "https://ada@api.example.com", "nonsense"):
                assert replica.may_connect(one.extension, url) == judge_url(one.extension, url, one)
            for data in ("contacts", "tickets"):
                found = replica.may_read(one.extension, data)
                assert found == judge_data(one.extension, data, one)


async def test_a_backend_system_has_it_too(
    stack: RunningStack, settings: ReplicaSettings, brand: str, tmp_path: Path
) -> None:
    await announce(stack, announced(installed(LOUD, HOST), brand))
    kafka = kafka_of(stack.kafka, "backend", tmp_path)

    async with Replica(settings.model_copy(update={"kafka": kafka})) as replica:
        assert replica.may_connect(LOUD, URL).allowed


async def test_nothing_is_installed_in_a_brand_of_which_nothing_was_announced(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    await announce(stack, announced(installed(LOUD, HOST), f"{brand}-twin"))

    async with Replica(settings) as replica:
        found = replica.may_connect(LOUD, URL)
        assert (found.allowed, found.code) == (False, "not_installed")
        found = replica.may_read("no-such-extension", "contacts")
        assert (found.allowed, found.code) == (False, "not_installed")
        with pytest.raises(ValueError, match="extension"):
            replica.may_connect("No Slug", URL)


async def test_what_changes_is_heard(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    await announce(stack, announced(installed(LOUD, HOST), brand, sequence=1))
    async with Replica(settings) as replica:
        assert replica.may_connect(LOUD, URL).allowed

        other = installed(LOUD, "b.example.com", kind=DomainsChanged, domains_revision=2)
        await announce(stack, announced(other, brand, sequence=2))
        assert (await until_it_says(replica, "not_listed")).revision == 2

        empty = installed(LOUD, kind=DomainsChanged, domains_revision=3)
        await announce(stack, announced(empty, brand, sequence=3))
        assert (await until_it_says(replica, "nothing_listed")).message.startswith(ALL_BLOCKED)

        back = installed(LOUD, HOST, kind=DomainsChanged, domains_revision=4)
        await announce(stack, announced(back, brand, sequence=4))
        assert (await until_it_says(replica, "allowed")).host == HOST


ENDS: list[tuple[type[InstallationChanged], InstallationState, JudgementCode]] = [
    (ExtensionSuspended, "suspended", "suspended"),
    (UninstallStarted, "uninstalling", "uninstalling"),
    (ExtensionUninstalled, "uninstalled", "not_installed"),
]


@pytest.mark.parametrize("end", ENDS, ids=lambda one: one[1])
async def test_what_cannot_be_used_any_more_is_blocked_for_its_reason(
    stack: RunningStack,
    settings: ReplicaSettings,
    brand: str,
    end: tuple[type[InstallationChanged], InstallationState, JudgementCode],
) -> None:
    kind, state, code = end
    permissions = ("contacts",)
    first = installed(LOUD, HOST, permissions=permissions)
    await announce(stack, announced(first, brand, sequence=1))
    async with Replica(settings) as replica:
        assert replica.may_connect(LOUD, URL).allowed
        assert replica.may_read(LOUD, "contacts").allowed

        ended = installed(LOUD, HOST, kind=kind, state=state, permissions=permissions)
        await announce(stack, announced(ended, brand, sequence=2))

        assert not (await until_it_says(replica, code)).allowed
        found = replica.may_read(LOUD, "contacts")
        assert (found.allowed, found.code) == (False, code)


async def test_older_news_that_comes_again_changes_nothing(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    old = announced(installed(LOUD, HOST), brand, epoch=1, sequence=9)
    new = announced(installed(LOUD, kind=DomainsChanged), brand, epoch=2, sequence=1)
    # The same key, so in the same partition, behind the old one.
    last = announced(installed(LOUD, kind=ExtensionInstalled), brand, epoch=2, sequence=2)
    async with Replica(settings) as replica:
        await announce(stack, new, old, new, old)
        await until_it_says(replica, "nothing_listed")
        await announce(stack, old, last, old)
        marker = announced(installed("marker", HOST), brand)
        await announce(stack, marker)
        await eventually(lambda: replica.may_connect("marker", URL).allowed)
        assert replica.may_connect(LOUD, URL).code == "nothing_listed"

    async with Replica(settings) as replica:
        assert replica.may_connect(LOUD, URL).code == "nothing_listed", "read from the start"


async def test_news_that_cannot_be_read_blocks_that_extension_alone(
    stack: RunningStack, settings: ReplicaSettings, brand: str, caplog: pytest.LogCaptureFixture
) -> None:
    good, other = installed(LOUD, HOST), installed("soft-mail", HOST)
    frozen = "keyturn.installation.ExtensionFrozen.v1"
    await announce(stack, announced(good, brand), announced(other, brand))
    async with Replica(settings) as replica:
        assert replica.may_connect(LOUD, URL).suffix_list == SUFFIX_LIST_VERSION
        assert replica.may_connect(LOUD, URL).allowed

        await announce(stack, announced(good, brand, sequence=2, type_name=frozen))
        found = await until_it_says(replica, "copy_too_old")

        assert not found.allowed
        assert "cannot be read here" in found.message
        assert "the extension loud-mail cannot be read here" in caplog.text
        assert not replica.may_read(LOUD, "contacts").allowed
        assert replica.may_connect("soft-mail", URL).allowed

        await announce(stack, announced(good, brand, sequence=3))
        await until_it_says(replica, "allowed")


async def test_before_it_is_entered_nothing_is_allowed(settings: ReplicaSettings) -> None:
    replica = Replica(settings)

    assert replica.age is None
    for found in (replica.may_connect(LOUD, URL), replica.may_read(LOUD, "contacts")):
        assert (found.allowed, found.code) == (False, "copy_too_old")
        assert "is loaded" in found.message
        assert found.suffix_list == SUFFIX_LIST_VERSION


def heard_at(replica: Replica) -> float:
    """Return when everything that was there had been heard, by a clock that nobody sets."""
    age = replica.age
    assert age is not None
    return time.monotonic() - age.total_seconds()


async def test_its_age_is_renewed_where_nothing_happens(settings: ReplicaSettings) -> None:
    async with Replica(settings) as replica:
        first = heard_at(replica)

        # While nothing renews it, this stays the same but for the reading of two clocks.
        await eventually(lambda: heard_at(replica) > first + 0.1)


async def test_after_it_is_left_it_grows_old_and_allows_nothing(
    stack: RunningStack, settings: ReplicaSettings, brand: str
) -> None:
    await announce(stack, announced(installed(LOUD, HOST), brand))
    most = timedelta(seconds=1)

    # On a busy machine a second may have passed before it is asked: then it is renewed.
    async with Replica(settings.model_copy(update={"max_age": most})) as replica:
        await until_it_says(replica, "allowed")
    await until_it_says(replica, "copy_too_old")

    async with replica:
        await until_it_says(replica, "allowed")


async def test_where_kafka_is_not_reachable_it_is_not_entered(
    settings: ReplicaSettings, stack: RunningStack
) -> None:
    with socket.socket() as taken:
        # Bound and not listening: whoever connects is refused.
        taken.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{taken.getsockname()[1]}"
        kafka: Kafka = settings.kafka.model_copy(update={"bootstrap": nowhere})
        replica = Replica(settings.model_copy(update={"kafka": kafka}))
        with pytest.raises(UnreachableError, match="is it running"):
            await replica.__aenter__()
    assert replica.may_connect(LOUD, URL).code == "copy_too_old"


def test_no_age_may_be_less_than_a_kept_up_copy_has(settings: ReplicaSettings) -> None:
    with pytest.raises(ValueError, match="max_age"):
        ReplicaSettings.model_validate(settings.model_dump() | {"max_age": 0.5})
    told = settings.model_dump_json().replace("PT10S", "PT1S")
    assert ReplicaSettings.model_validate_json(told).max_age == timedelta(seconds=1)
