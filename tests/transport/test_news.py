"""News from the owner's topic: the newest wins, a forgery says nothing, the future is ignored."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import select

from shared.messaging.kafka import client_options
from shared.messaging.record import RawRecord
from shared.messaging.tables import UnreadableRow
from tests.running_stack import RunningStack
from tests.transport import notes
from tests.transport.conftest import given_service
from tests.transport.given import news_record
from tests.transport.poison import published
from tests.transport.running import Given
from tests.waiting import eventually


@pytest.fixture
async def listening(stack: RunningStack, tmp_path: Path) -> AsyncGenerator[Given]:
    folder = tmp_path / "issuers"
    folder.mkdir()
    async with given_service(stack, folder, notes.listening) as given:
        yield given


async def test_news_is_heard_with_what_came_while_nobody_listened(listening: Given) -> None:
    await tell(listening, news_record(published("before"), brand="platform"))
    async with listening.consuming() as consuming:
        await tell(
            listening,
            news_record(published("after"), brand="platform", headers={"ce_type": _FUTURE}),
            news_record(published("broken"), brand="platform", value=b"{"),
            news_record(published("after"), brand="platform"),
        )
        await eventually(lambda: has_heard(listening, {"before", "after"}))

        reasons = await listening.fetch(select(UnreadableRow.reason))
        assert [reason for (reason,) in reasons] == ["value_invalid"]
        assert consuming.woken


_FUTURE = b"keyturn.catalog.ExtensionSung.v1"


async def tell(given: Given, *records: RawRecord) -> None:
    """Publish as the catalog, which alone may."""
    kafka = given.stack.kafka.settings_of("catalog")
    producer: Any = AIOKafkaProducer(**client_options(kafka), enable_idempotence=True)
    await producer.start()
    try:
        for one in records:
            await producer.send_and_wait(one.topic, one.value, one.key, headers=list(one.headers))
    finally:
        await producer.stop()


async def has_heard(given: Given, slugs: set[str]) -> bool:
    rows = await given.fetch(select(notes.HeardRow.slug))
    return {slug for (slug,) in rows} == slugs
