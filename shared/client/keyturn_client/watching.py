"""Events as they come, read without a group: each reader sees all of them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from keyturn_contracts.ids import PLATFORM
from keyturn_contracts.topics import events_topic
from keyturn_contracts.workflow import RolloutChanged

from keyturn_client.pauses import Pauses
from keyturn_client.problems import NotFoundError, UnreachableError
from keyturn_client.settings import Kafka
from keyturn_client.wire import Heard, Reader, read_event, reading

_POLL_SECONDS = 1.0
ENDED = frozenset({"completed", "superseded"})


async def events(
    kafka: Kafka, services: Sequence[str], brand: str, *, from_start: bool
) -> AsyncGenerator[Heard]:
    """Yield events of the brand and of none, in the order of each aggregate."""
    topics = [events_topic(one) for one in services]
    async with reading(kafka, topics, {} if from_start else None) as reader:
        while True:
            for one in await _heard(reader, brand):
                yield one


async def rollout_changes(
    kafka: Kafka,
    brand: str,
    rollout_id: str,
    ask: Callable[[str], Awaitable[RolloutChanged]],
) -> AsyncGenerator[RolloutChanged]:
    """Yield the rollout as a query tells it, then what its events tell, until it has ended.

    The query is asked after the reader stands at the end of the topic, so nothing between the two
    is missed. A rollout that is not open yet is waited for.
    """
    newest = (0, 0)
    async with reading(kafka, [events_topic("workflow")]) as reader:
        last = await _asked(ask, rollout_id)
        if last is not None:
            yield last
            if last.state in ENDED:
                return
        while True:
            for heard in await _heard(reader, brand):
                event = heard.event
                if not isinstance(event, RolloutChanged) or event.rollout_id != rollout_id:
                    continue
                if (heard.epoch, heard.sequence) <= newest:
                    continue
                newest = (heard.epoch, heard.sequence)
                if last is not None and last.model_dump() == event.model_dump():
                    # The query had told it already.
                    continue
                last = event
                yield event
                if event.state in ENDED:
                    return


async def _asked(
    ask: Callable[[str], Awaitable[RolloutChanged]], rollout_id: str
) -> RolloutChanged | None:
    pauses = Pauses()
    while True:
        try:
            return await ask(rollout_id)
        except NotFoundError:
            return None
        except UnreachableError:
            await asyncio.sleep(pauses.next())


async def _heard(reader: Reader, brand: str) -> list[Heard]:
    found = (read_event(one) for one in await reader.poll(_POLL_SECONDS))
    return [one for one in found if one is not None and one.brand in {brand, PLATFORM}]
