"""An engine's log: numbers without a gap, and nothing lost with an epoch."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from keyturn_client.engine import journal, lists
from keyturn_client.engine.journal import Position
from keyturn_client.engine.store import StateFileError, Store
from keyturn_client.problems import EngineStoppedError
from keyturn_contracts.workflow import (
    EVERYTHING,
    BeginEpoch,
    ConfirmRotation,
    DeleteWorkflows,
    SavedWorkflow,
    SaveWorkflows,
)

from tests.client.given import BRAND, ENGINE, WHO, given_store, given_workflow, unsent


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = given_store(tmp_path)
    yield opened
    opened.close()


def test_numbers_rise_from_one_without_a_gap_in_each_epoch(store: Store) -> None:
    with store.transaction() as connection:
        assert journal.begin_epoch(connection, WHO, above=0) == Position(1, 1)
        journal.save(connection, WHO, [given_workflow("w1", "mail")])
        journal.delete(connection, WHO, ["w1"])
        assert [entry.number for entry, _ in unsent(connection)] == [1, 2, 3]
        assert journal.begin_epoch(connection, WHO, above=0) == Position(2, 1)
        assert [(entry.epoch, entry.number) for entry, _ in unsent(connection)] == [(2, 1)]


def test_an_epoch_begins_above_the_one_that_the_service_tells(store: Store) -> None:
    with store.transaction() as connection:
        assert journal.begin_epoch(connection, WHO, above=41).epoch == 42


def test_an_epoch_begins_with_count_and_digest_of_the_list_as_it_is(store: Store) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        journal.save(connection, WHO, [given_workflow("w1", "mail", "crm")])
        journal.begin_epoch(connection, WHO, above=0)
        whole = lists.whole_standing(connection)
        ((_, command),) = unsent(connection)
    assert command == BeginEpoch(engine_id=ENGINE, count=2, digest=whole.digest)


def test_the_list_its_number_and_the_message_change_together(store: Store) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
    with pytest.raises(sqlite3.OperationalError):
        _save_and_fail(store)
    with store.transaction() as connection:
        assert lists.holdings(connection) == {}
        assert journal.position(connection) == Position(1, 1)
        assert len(unsent(connection)) == 1


def test_a_confirmation_is_compared_with_the_list_at_its_own_number(store: Store) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        journal.save(connection, WHO, [given_workflow("w1", "mail")])
        held = lists.standing(connection, "mail")
        journal.confirm(
            connection,
            WHO,
            account_id="mail",
            version=2,
            receipt="a" * 64,
            failed={f"w{n}": "no" for n in range(150)},
        )
        journal.save(connection, WHO, [given_workflow("w2", "mail")])
        confirmation = unsent(connection)[2][1]
    assert isinstance(confirmation, ConfirmRotation)
    assert (confirmation.count, confirmation.digest) == (1, held.digest)
    assert confirmation.holds
    assert (len(confirmation.failed), confirmation.failed_count) == (100, 150)


def test_letting_go_is_confirmed_without_a_receipt(store: Store) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        journal.confirm(connection, WHO, account_id="mail", version=2, receipt=None, failed={})
        confirmation = unsent(connection)[1][1]
    assert isinstance(confirmation, ConfirmRotation)
    assert (confirmation.holds, confirmation.receipt, confirmation.count) == (False, None, 0)


def test_what_was_sent_is_not_sent_again_until_there_is_doubt(store: Store) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        journal.save(connection, WHO, [given_workflow("w1", "mail")])
        first = journal.unsent(connection, WHO, most=10, most_bytes=1 << 20)
        journal.sent(connection, [entry for entry, _ in first])
        assert unsent(connection) == []
        assert journal.awaited(connection, most=10) == [entry for entry, _ in first]
        journal.send_again(connection)
        # The same ids and the same bytes.
        assert journal.unsent(connection, WHO, most=10, most_bytes=1 << 20) == first


def test_a_batch_has_a_size_and_at_least_one_message(store: Store) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        journal.save(connection, WHO, [given_workflow("w1", "mail")])
        assert len(journal.unsent(connection, WHO, most=10, most_bytes=1)) == 1


@pytest.mark.parametrize("list_wanted", [True, False])
def test_what_was_lost_with_an_epoch_is_said_again_by_name(
    store: Store, *, list_wanted: bool
) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        kept = [given_workflow("w1", "mail", "crm"), given_workflow("w2", "mail")]
        journal.save(connection, WHO, kept)
        _settle_all(connection)
        # Three changes, none of which has an outcome: one takes a task away, one adds, one deletes.
        journal.save(connection, WHO, [given_workflow("w1", "mail")])
        journal.save(connection, WHO, [given_workflow("w3", "mail")])
        journal.delete(connection, WHO, ["w2"])
        journal.begin_epoch(connection, WHO, above=0)
        journal.resume(connection, WHO, list_wanted=list_wanted)
        said = [command for _, command in unsent(connection)[1:]]
    saved = {
        one.workflow_id
        for command in said
        if isinstance(command, SaveWorkflows)
        for one in command.workflows
    }
    deleted = {
        one
        for command in said
        if isinstance(command, DeleteWorkflows)
        for one in command.workflow_ids
    }
    # A whole list adds w3, and it alone could not say that a task of w1 is gone.
    assert saved == ({"w1"} if list_wanted else {"w1", "w3"})
    assert deleted == {"w2"}


def test_a_task_that_was_taken_away_stays_so_through_a_later_save_that_adds_one(
    store: Store,
) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        journal.save(connection, WHO, [given_workflow("w1", "mail", "crm")])
        _settle_all(connection)
        journal.save(connection, WHO, [given_workflow("w1", "mail")])
        journal.save(connection, WHO, [given_workflow("w1", "mail", "mail")])
        journal.begin_epoch(connection, WHO, above=0)
        journal.resume(connection, WHO, list_wanted=True)
        said = [command for _, command in unsent(connection)[1:]]
    assert [type(one) for one in said] == [SaveWorkflows]


def test_a_change_of_owner_that_was_lost_is_said_again_although_no_digest_shows_it(
    store: Store,
) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        journal.save(connection, WHO, [given_workflow("w1", "mail")])
        _settle_all(connection)
        journal.save(connection, WHO, [given_workflow("w1", "mail", owner="bob")])
        journal.begin_epoch(connection, WHO, above=0)
        journal.resume(connection, WHO, list_wanted=False)
        (_, (_, said)) = unsent(connection)
    assert isinstance(said, SaveWorkflows)
    assert [one.owner for one in said.workflows] == ["bob"]


def test_a_part_of_everything_carries_what_a_lost_save_added(store: Store) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        journal.save(connection, WHO, [given_workflow("w1", "mail")])
        journal.begin_epoch(connection, WHO, above=0)
        part = journal.next_part(connection, WHO, list_id="l1", scope=EVERYTHING, part=1, after="")
        assert part.last
        journal.settle(connection, part.entry, applied=True)
        assert journal.is_unsettled(connection, ["w1"]) == set()


def test_a_part_leaves_to_be_named_what_a_lost_save_removed(store: Store) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        journal.save(connection, WHO, [given_workflow("w1", "mail")])
        journal.save(connection, WHO, [given_workflow("w1")])
        journal.begin_epoch(connection, WHO, above=0)
        part = journal.next_part(connection, WHO, list_id="l1", scope=EVERYTHING, part=1, after="")
        journal.settle(connection, part.entry, applied=True)
        assert journal.is_unsettled(connection, ["w1"]) == {"w1"}
        journal.resume(connection, WHO, list_wanted=True)
        entry, said = unsent(connection)[-1]
    assert isinstance(said, SaveWorkflows)
    assert said.list is None
    assert (entry.number, said.workflows) == (3, (given_workflow("w1"),))


def test_a_refused_save_stays_unsettled(store: Store) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        journal.save(connection, WHO, [given_workflow("w1", "mail")])
        entry = unsent(connection)[1][0]
        journal.settle(connection, entry, applied=False)
        assert journal.is_unsettled(connection, ["w1"]) == {"w1"}


def test_parts_are_cut_from_the_list_as_it_is_when_each_gets_its_number(store: Store) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        lists.save(connection, [given_workflow(f"w{n:04}", "mail") for n in range(5001)])
        first = journal.next_part(connection, WHO, list_id="l1", scope=EVERYTHING, part=1, after="")
        journal.delete(connection, WHO, ["w5000"])
        journal.save(connection, WHO, [given_workflow("w6000", "mail")])
        second = journal.next_part(
            connection, WHO, list_id="l1", scope=EVERYTHING, part=2, after=first.after
        )
        sent = unsent(connection)[-1][1]
    assert (first.last, second.last) == (False, True)
    assert isinstance(sent, SaveWorkflows)
    assert [one.workflow_id for one in sent.workflows] == ["w6000"]


def test_the_accounts_of_a_save_are_read_from_its_message(store: Store) -> None:
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=0)
        journal.save(
            connection,
            WHO,
            [
                given_workflow("w1", "mail", "crm"),
                SavedWorkflow(workflow_id="w2", owner="ada"),
            ],
        )
        assert journal.accounts_told(connection, unsent(connection)[1][0]) == {"mail", "crm"}


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    store = given_store(tmp_path)
    with store.transaction() as connection:
        journal.begin_epoch(connection, WHO, above=6)
        journal.save(connection, WHO, [given_workflow("w1", "mail")])
        before = (lists.whole_standing(connection), journal.position(connection))
    store.close()
    store = given_store(tmp_path)
    with store.transaction() as connection:
        assert (lists.whole_standing(connection), journal.position(connection)) == before
        assert len(unsent(connection)) == 2
    store.close()


def test_two_processes_cannot_use_one_file(store: Store, tmp_path: Path) -> None:
    with pytest.raises(EngineStoppedError, match="Another process uses") as stopped:
        given_store(tmp_path)
    assert stopped.value.reason == "file_in_use"


def test_a_file_belongs_to_one_engine(tmp_path: Path) -> None:
    given_store(tmp_path).close()
    with pytest.raises(StateFileError, match=f"belongs to engine {ENGINE}"):
        Store(tmp_path / "engine.db", brand=BRAND, engine_id="e2")


def test_only_its_owner_reads_the_file(store: Store, tmp_path: Path) -> None:
    assert (tmp_path / "engine.db").stat().st_mode & 0o077 == 0


def _save_and_fail(store: Store) -> None:
    with store.transaction() as connection:
        journal.save(connection, WHO, [given_workflow("w1", "mail")])
        connection.execute("SELECT * FROM what_is_not_there")


def _settle_all(connection: sqlite3.Connection) -> None:
    for entry, _ in unsent(connection):
        journal.settle(connection, entry, applied=True)
