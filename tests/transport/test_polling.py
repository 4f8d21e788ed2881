"""What a poll brings is cut into batches, and gaps in a log are looked for once."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.messaging.assignment import Assignment
from shared.messaging.client import Client
from shared.messaging.polling import (
    BATCH_BYTES,
    BATCH_RECORDS,
    BATCH_VALUES,
    Polling,
    cut,
)
from shared.messaging.position import Owned
from shared.messaging.record import Partition, RawRecord
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


def _naming(offset: int, values: int, *, length: int = 6) -> RawRecord:
    """Return a record whose JSON has so many values."""
    names = b",".join(b'"%0*d"' % (length, one) for one in range(values))
    return RawRecord(
        topic=TOPIC,
        partition=0,
        offset=offset,
        key=None,
        value=b"[%s]" % names,
        headers=(("ce_id", b"1"),),
        timestamp_ms=0,
        timestamp_type=1,
    )


def _sizes(records: list[RawRecord]) -> list[int]:
    batches = list(cut(records))
    assert [one for batch in batches for one in batch] == records
    return [len(batch) for batch in batches]


def test_commands_that_name_thousands_are_few_in_a_batch() -> None:
    assert _sizes([_naming(one, 5000) for one in range(20)]) == [5] * 4
    assert _sizes([_naming(one, 5000, length=1) for one in range(20)]) == [5] * 4


def test_small_records_are_cut_by_their_number_alone() -> None:
    small = [_naming(one, 40, length=20) for one in range(2 * BATCH_RECORDS + 1)]

    assert _sizes(small) == [BATCH_RECORDS, BATCH_RECORDS, 1]
    assert _sizes([]) == []


def test_what_is_too_much_for_a_batch_is_one_alone() -> None:
    many, large = _naming(1, BATCH_VALUES + 2), _naming(3, 2, length=BATCH_BYTES)

    assert _sizes([_naming(0, 2), many, _naming(2, 2), large, _naming(4, 2)]) == [1] * 5


def test_what_has_no_value_is_cut_too() -> None:
    empty = [replace(_naming(one, 0), value=None) for one in range(BATCH_RECORDS + 1)]

    assert _sizes(empty) == [BATCH_RECORDS, 1]
