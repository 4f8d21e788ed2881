"""An engine's list: counted and digested as it changes, and cut into messages."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keyturn_client.engine import lists
from keyturn_client.engine.store import Store
from keyturn_contracts.message import MAX_MESSAGE_BYTES
from keyturn_contracts.workflow import (
    EVERYTHING,
    MAX_TASKS,
    ListPart,
    SavedTask,
    SavedWorkflow,
    SaveWorkflows,
)

from tests.client.given import given_store, given_workflow, recount


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = given_store(tmp_path)
    yield opened
    opened.close()


def _workflow(name: str, owner: str, tasks: list[tuple[str, str]]) -> SavedWorkflow:
    return SavedWorkflow(
        workflow_id=name,
        owner=owner,
        tasks=tuple(SavedTask(task_id=task, account_id=account) for task, account in tasks),
    )


WORKFLOWS = st.builds(
    _workflow,
    name=st.sampled_from(["w1", "w2", "w3", "w4"]),
    owner=st.sampled_from(["ada", "bob"]),
    tasks=st.lists(
        st.tuples(st.sampled_from(["t1", "t2"]), st.sampled_from(["mail", "crm"])), max_size=4
    ),
)
CHANGES = st.lists(st.lists(WORKFLOWS, max_size=4) | st.sets(st.sampled_from(["w1", "w2", "w9"])))


@given(changes=CHANGES)
@settings(max_examples=100, deadline=None)
def test_counts_and_digests_are_those_of_a_recount_after_every_change(
    tmp_path_factory: pytest.TempPathFactory, changes: list[list[SavedWorkflow] | set[str]]
) -> None:
    store = given_store(tmp_path_factory.mktemp("list"))
    model: dict[str, SavedWorkflow] = {}
    try:
        for change in changes:
            with store.transaction() as connection:
                if isinstance(change, set):
                    told = lists.delete(connection, change)
                    model = {id_: one for id_, one in model.items() if id_ not in change}
                else:
                    told = lists.save(connection, change)
                    model |= {one.workflow_id: one for one in change}
                expected = recount(model.values())
                assert {id_: lists.standing(connection, id_) for id_ in expected} == expected
                assert lists.holdings(connection) == {
                    id_: one.bindings for id_, one in expected.items()
                }
                assert _touched(told.bindings, expected)
                assert _plain(lists.load(connection, model)) == _plain(model)
    finally:
        store.close()


def _touched(told: Mapping[str, int], expected: Mapping[str, lists.Standing]) -> bool:
    return all(
        count == (expected[id_].bindings if id_ in expected else 0) for id_, count in told.items()
    )


def _plain(workflows: Mapping[str, SavedWorkflow]) -> dict[str, tuple[str, set[SavedTask]]]:
    return {id_: (one.owner, set(one.tasks)) for id_, one in workflows.items()}


def test_a_save_names_what_changed_and_what_lost_a_binding(store: Store) -> None:
    with store.transaction() as connection:
        lists.save(connection, [given_workflow("w1", "mail", "crm"), given_workflow("w2", "mail")])
        change = lists.save(
            connection,
            [
                given_workflow("w1", "mail"),
                given_workflow("w2", "mail"),
                given_workflow("w3", "mail", owner="bob"),
            ],
        )
    assert [one.workflow_id for one in change.workflows] == ["w1", "w3"]
    assert change.removing == {"w1"}
    assert change.bindings == {"crm": 0, "mail": 3}


def test_another_owner_is_a_change_that_no_digest_shows(store: Store) -> None:
    with store.transaction() as connection:
        lists.save(connection, [given_workflow("w1", "mail")])
        before = lists.whole_standing(connection)
        change = lists.save(connection, [given_workflow("w1", "mail", owner="bob")])
        assert [one.owner for one in change.workflows] == ["bob"]
        assert lists.whole_standing(connection) == before


def test_a_message_carries_five_thousand_tasks_and_no_more() -> None:
    many = [given_workflow(f"w{n}", "mail", "crm") for n in range(2501)]
    parts = list(lists.in_messages(many))
    assert [len(one) for one in parts] == [2500, 1]
    assert sum(len(one.tasks) for one in parts[0]) == MAX_TASKS


def test_a_message_stays_below_its_size_whatever_the_names() -> None:
    many = [
        SavedWorkflow(workflow_id=f"w{n}", name="ä" * 200, owner="ada", tasks=())
        for n in range(4000)
    ]
    parts = list(lists.in_messages(many))
    assert len(parts) > 1
    for part in parts:
        sent = SaveWorkflows(
            engine_id="e" * 128,
            workflows=tuple(part),
            list=ListPart(id="l" * 128, scope="a" * 128, part=1_000_000, last=False),
        )
        assert len(sent.to_json()) <= MAX_MESSAGE_BYTES
    assert [one for part in parts for one in part] == many


def test_names_to_delete_are_divided_by_size_too() -> None:
    names = [f"{n:04}" + "ä" * 252 for n in range(4000)]
    parts = list(lists.ids_in_messages(names))
    assert len(parts) > 1
    assert [one for part in parts for one in part] == names


def test_a_workflow_that_no_message_could_carry_is_refused_in_a_sentence() -> None:
    tasks = tuple(SavedTask(task_id=f"t{n}", account_id="mail") for n in range(MAX_TASKS + 1))
    with pytest.raises(ValueError, match="Divide it"):
        lists.check_fits(SavedWorkflow(workflow_id="w1", owner="ada", tasks=tasks))


def test_a_text_that_no_database_takes_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="NUL"):
        lists.check_fits(given_workflow("w\x00", "mail"))
    # A backslash and what follows it is a text like any other.
    assert lists.check_fits(given_workflow("w\\u0000", "mail"))


def test_a_whole_list_is_cut_in_order_and_says_which_part_is_the_last(store: Store) -> None:
    saved = [given_workflow(f"w{n:05}", "mail", "crm") for n in range(5001)]
    with store.transaction() as connection:
        lists.save(connection, saved)
        first, is_last = lists.cut(connection, EVERYTHING, "")
        assert (len(first), is_last) == (2500, False)
        second, is_last = lists.cut(connection, EVERYTHING, first[-1].workflow_id)
        assert (len(second), is_last) == (2500, False)
        third, is_last = lists.cut(connection, EVERYTHING, second[-1].workflow_id)
        assert ([one.workflow_id for one in third], is_last) == (["w05000"], True)


def test_a_list_of_one_account_names_its_tasks_alone(store: Store) -> None:
    with store.transaction() as connection:
        lists.save(connection, [given_workflow("w1", "mail", "crm"), given_workflow("w2", "crm")])
        part, is_last = lists.cut(connection, "mail", "")
    assert is_last
    assert [(one.workflow_id, [task.account_id for task in one.tasks]) for one in part] == [
        ("w1", ["mail"])
    ]


def test_an_empty_list_is_one_empty_part(store: Store) -> None:
    with store.transaction() as connection:
        assert lists.cut(connection, EVERYTHING, "") == ([], True)


def test_what_is_not_among_the_given_is_absent(store: Store) -> None:
    with store.transaction() as connection:
        lists.save(connection, [given_workflow("w1", "mail"), given_workflow("w2", "mail")])
        assert lists.absent(connection, ["w2", "w2", "w7"]) == ["w1"]
        assert sorted(lists.absent(connection, [])) == ["w1", "w2"]
