"""Gaps in a log are looked for once, in whatever order the client brings its partitions."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.messaging.assignment import Assignment
from shared.messaging.client import Client
from shared.messaging.polling import Polling
from shared.messaging.position import Owned
from shared.messaging.record import Partition
from shared.messaging.watchdog import Patience

TOPIC = "keyturn.notes.commands"


class Log:
    """Brings the first record of these partitions, poll by poll; all before it is gone."""

    def __init__(self, *polls: Sequence[int]) -> None:
        self._polls = list(polls)
        self.owned = {Partition(TOPIC, number): Owned(1, 0) for number in (0, 1)}
        self.sought = 0

    async def getmany(self, **_: Any) -> dict[int, list[Any]]:
        return {number: [_first_of(number)] for number in self._polls.pop(0)}

    def seek_again(self) -> None:
        self.sought += 1


def _first_of(partition: int) -> SimpleNamespace:
    return SimpleNamespace(
        topic=TOPIC,
        partition=partition,
        offset=10,
        key=None,
        value=None,
        headers=(),
        timestamp=0,
        timestamp_type=1,
    )


async def test_gaps_of_two_partitions_that_take_turns_are_each_looked_for_once() -> None:
    log = Log([0], [1], [0], [1])
    polling = Polling(
        cast("Assignment", log),
        gapless=TOPIC,
        patience=Patience(),
        fail=pytest.fail,
    )

    found = [await polling.poll(cast("Client", log), 0) for _ in range(4)]

    assert [[one.partition for one in records] for records in found] == [[], [], [0], [1]]
    assert log.sought == 2
