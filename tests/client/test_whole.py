"""Whole lists: sent in parts as there is room, broken off with their epoch."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import anyio
import pytest
from keyturn_client.engine import journal, lists, whole
from keyturn_client.engine.book import Book
from keyturn_client.engine.whole import WholeLists, settle_vanished
from keyturn_contracts.message import Command
from keyturn_contracts.workflow import (
    EVERYTHING,
    BeginEpoch,
    BindingName,
    DeleteWorkflows,
    ListCompared,
    SaveWorkflows,
)

from tests.client.given import WHO, given_store, given_workflow, unsent
from tests.waiting import eventually


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[Book]:
    opened = Book(given_store(tmp_path), WHO)
    await opened.begin_epoch(0)
    yield opened
    opened.close()


async def sent(book: Book) -> list[Command]:
    """Have the broker acknowledge everything; return what that was."""
    rows = await book.read(unsent)
    await book.read(journal.sent, [entry for entry, _ in rows])
    book.sent.set()
    return [command for _, command in rows]


async def waiting(book: Book) -> list[Command]:
    return [command for _, command in await book.read(unsent)]


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every workflow be a part of its own, and one wait to be sent at a time."""
    monkeypatch.setattr(lists, "MAX_TASKS", 1)
    monkeypatch.setattr(whole, "MOST_UNSENT", 1)


@pytest.mark.usefixtures("in_parts")
async def test_parts_are_cut_as_there_is_room_to_send_them(book: Book) -> None:
    await book.write(journal.save, [given_workflow(f"w{n}", "mail") for n in range(3)])
    await sent(book)
    told = WholeLists(book)
    parts: list[SaveWorkflows] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(told.work)
        told.want(EVERYTHING)
        for _ in range(3):
            (part,) = await eventually(lambda: waiting(book))
            parts.append(cast("SaveWorkflows", part))
            await sent(book)
        tasks.cancel_scope.cancel()
    named = [part.list for part in parts if part.list is not None]
    assert [one.part for one in named] == [1, 2, 3]
    assert [one.last for one in named] == [False, False, True]
    assert len({one.id for one in named}) == 1
    assert [one.workflow_id for part in parts for one in part.workflows] == ["w0", "w1", "w2"]


@pytest.mark.usefixtures("in_parts")
async def test_a_new_epoch_breaks_a_list_off(book: Book) -> None:
    await book.write(journal.save, [given_workflow(f"w{n}", "mail") for n in range(3)])
    await sent(book)
    told = WholeLists(book)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(told.work)
        told.want(EVERYTHING)
        await eventually(lambda: waiting(book))
        await book.begin_epoch(0)
        told.epoch_begun()
        assert [type(one) for one in await sent(book)] == [BeginEpoch]
        # The next list that is wanted begins with its own part 1.
        told.want("mail")
        (part,) = await eventually(lambda: waiting(book))
        assert isinstance(part, SaveWorkflows)
        assert part.list is not None
        assert (part.list.scope, part.list.part) == ("mail", 1)
        tasks.cancel_scope.cancel()


def vanished(*names: str) -> ListCompared:
    bindings = [BindingName(account_id="mail", workflow_id=one, task_id="t0") for one in names]
    return ListCompared(vanished=tuple(bindings), vanished_count=len(bindings))


async def test_nothing_that_vanished_is_deleted_unless_the_engine_vouches_for_it(
    book: Book,
) -> None:
    await sent(book)
    left = await settle_vanished(book, vanished("w1"), lambda _: False, None)
    assert [one.workflow_id for one in left] == ["w1"]
    assert await waiting(book) == []


async def test_what_has_no_run_left_is_deleted_by_name_and_what_runs_is_not(book: Book) -> None:
    await sent(book)
    asked: list[BindingName] = []

    async def vouch(bindings: list[BindingName]) -> list[str]:
        asked.extend(bindings)
        return ["w1", "w2", "what was not asked"]

    left = await settle_vanished(book, vanished("w1", "w2", "w3"), lambda one: one == "w2", vouch)
    assert [one.workflow_id for one in asked] == ["w1", "w2", "w3"]
    assert [one.workflow_id for one in left] == ["w2", "w3"]
    (deletion,) = await waiting(book)
    assert isinstance(deletion, DeleteWorkflows)
    assert deletion.workflow_ids == ("w1",)


async def test_a_task_that_vanished_from_a_listed_workflow_is_settled_by_saving_that_by_name(
    book: Book,
) -> None:
    await book.write(journal.save, [given_workflow("w1", "crm")])
    for entry, _ in await book.read(unsent):
        await book.read(journal.settle, entry, applied=True)

    async def vouch(bindings: list[BindingName]) -> list[str]:
        return [one.workflow_id for one in bindings]

    assert await settle_vanished(book, vanished("w1"), lambda _: False, vouch) == []
    (save,) = await waiting(book)
    assert isinstance(save, SaveWorkflows)
    assert save.list is None
    assert save.workflows == (given_workflow("w1", "crm"),)


async def test_what_the_engine_has_just_removed_itself_is_no_question(book: Book) -> None:
    await book.write(journal.delete, ["w1"])

    async def vouch(bindings: list[BindingName]) -> list[str]:
        raise AssertionError(bindings)

    assert await settle_vanished(book, vanished("w1"), lambda _: False, vouch) == []
