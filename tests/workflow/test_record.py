"""What is on record of an engine's workflows, by the rules alone."""

from keyturn_contracts.digest import binding_digest, sum_of
from keyturn_contracts.message import Verdict
from keyturn_contracts.workflow import (
    MAX_TASKS,
    AccountBound,
    AccountUnbound,
    DeleteWorkflows,
    ListCompared,
    ListPart,
    SavedTask,
    SavedWorkflow,
)

from services.workflow.rules.account import Account
from services.workflow.rules.holding import NOTHING
from services.workflow.rules.list import give_up
from shared.decisions import AppliedToMany, Refused
from tests.workflow.books import MAIL, Books, given_access
from tests.workflow.given import GivenEngine, workflow

CHAT = Account(id="chat", extension="chat", state="connected", version=1, epoch=1, party="first")
"""What `bob` owns, as `ada` owns the others."""


def given_books(*accounts: Account) -> tuple[GivenEngine, Books]:
    engine = GivenEngine()
    known = accounts or (MAIL,)
    return engine, Books(
        engine, {one.id: one for one in known}, given_access(*known, chat=("bob",))
    )


def part(
    number: int, *, last: bool = False, id_: str = "l1", scope: str = "everything"
) -> ListPart:
    return ListPart(id=id_, scope=scope, part=number, last=last)


def done(outcome: AppliedToMany | Refused[object, str]) -> AppliedToMany:
    assert isinstance(outcome, AppliedToMany)
    return outcome


def reason(outcome: AppliedToMany | Refused[object, str]) -> str:
    assert isinstance(outcome, Refused)
    return outcome.reason


def compared(outcome: AppliedToMany | Refused[object, str]) -> ListCompared:
    details = done(outcome).details
    assert isinstance(details, ListCompared)
    return details


def test_a_saved_workflow_counts_with_all_its_tasks() -> None:
    engine, books = given_books()

    outcome = done(books.save(engine.save(workflow("w1", "a", "b"), workflow("w2", "a"))))

    tasks = [("w1", "a"), ("w1", "b"), ("w2", "a")]
    assert outcome.changed
    assert outcome.verdicts == ()
    assert books.holding().count == 3
    assert books.holding().digest == sum_of(binding_digest("mail", *one) for one in tasks)
    assert (books.record.engine.count, books.record.engine.digest) == (3, books.holding().digest)
    assert [type(one) for one in outcome.events] == [AccountBound]


def test_a_workflow_saved_again_drops_the_tasks_it_no_longer_names() -> None:
    engine, books = given_books()
    books.save(engine.save(workflow("w1", "a", "b")))

    done(books.save(engine.save(workflow("w1", "b", "c"))))

    assert books.holding().digest == sum_of(binding_digest("mail", "w1", one) for one in "bc")
    assert books.holding().vanished_count == 0
    assert not books.holding().is_named_since


def test_what_is_saved_as_it_is_already_is_unchanged() -> None:
    engine, books = given_books()
    books.save(engine.save(workflow("w1", "a")))

    outcome = done(books.save(engine.save(workflow("w1", "a"))))

    assert not outcome.changed
    assert outcome.note is not None
    assert outcome.verdicts == (Verdict(subject="workflows/w1", verdict="unchanged"),)
    assert outcome.events == ()


def test_a_workflow_saved_without_tasks_is_gone() -> None:
    engine, books = given_books()
    books.save(engine.save(workflow("w1", "a")))

    outcome = done(books.save(engine.save(workflow("w1"))))

    assert books.record.workflows == {}
    assert books.holding().count == 0
    assert [type(one) for one in outcome.events] == [AccountUnbound]


def test_deleting_by_name_says_what_was_not_on_record() -> None:
    engine, books = given_books()
    books.save(engine.save(workflow("w1", "a"), workflow("w2", "a")))

    deletion = DeleteWorkflows(engine_id="e1", workflow_ids=("w1", "none"))
    outcome = done(books.delete(engine.next(deletion)))

    assert outcome.changed
    assert outcome.verdicts == (Verdict(subject="workflows/none", verdict="unchanged"),)
    assert books.holding().count == 1
    assert set(books.record.workflows) == {"w2"}


def test_a_task_may_use_two_accounts_and_one_named_twice_is_one() -> None:
    engine, books = given_books(MAIL, CHAT)
    tasks = tuple(
        SavedTask(task_id="a", account_id=account_id) for account_id in ("mail", "chat", "mail")
    )

    books.save(engine.save(SavedWorkflow(workflow_id="w1", owner="ada", tasks=tasks)))

    assert (books.holding().count, books.holding("chat").count) == (1, 1)


# Access.


def test_a_task_is_suspended_with_its_reason_and_counts_all_the_same() -> None:
    gone = Account(id="gone", extension="x", state="deleted", version=2, epoch=1)
    engine, books = given_books(MAIL, CHAT, gone)
    tasks = tuple(
        SavedTask(task_id=account_id, account_id=account_id)
        for account_id in ("mail", "chat", "gone", "none")
    )

    outcome = done(
        books.save(engine.save(SavedWorkflow(workflow_id="w1", owner="ada", tasks=tasks)))
    )

    assert [(one.subject, one.verdict, one.reason) for one in outcome.verdicts] == [
        ("workflows/w1/chat", "suspended", "no_access"),
        ("workflows/w1/gone", "suspended", "account_deleted"),
        ("workflows/w1/none", "suspended", "account_unknown"),
    ]
    announced = [
        (one.account_id, type(one), one.bound, one.allowed, one.reason)
        for one in outcome.events
        if isinstance(one, AccountBound | AccountUnbound)
    ]
    assert announced == [
        ("chat", AccountUnbound, True, False, "no_access"),
        ("gone", AccountUnbound, True, False, "account_deleted"),
        ("mail", AccountBound, True, True, None),
        ("none", AccountUnbound, True, False, "account_unknown"),
    ]
    assert {
        one: books.holding(one).count for one in ("mail", "chat", "gone", "none")
    } == dict.fromkeys(("mail", "chat", "gone", "none"), 1)


def test_with_another_owner_a_workflow_gains_and_loses_its_accounts() -> None:
    engine, books = given_books()
    books.save(engine.save(workflow("w1", "a"), workflow("w2", "a", owner="bob")))

    lost = done(books.save(engine.save(workflow("w1", "a", owner="bob"))))
    gained = done(books.save(engine.save(workflow("w2", "a", owner="ada"))))

    assert [type(one) for one in lost.events] == [AccountUnbound]
    assert [type(one) for one in gained.events] == [AccountBound]
    assert books.holding().allowed_count == 1


# Whole lists.


def test_an_engine_may_say_its_list_in_parts_with_other_commands_between() -> None:
    engine, books = given_books()
    books.save(engine.save(workflow("w1", "a"), workflow("w2", "a"), workflow("w3", "a")))

    first = done(books.save(engine.save(workflow("w1", "a"), part=part(1))))
    books.save(engine.save(workflow("w4", "a")))
    last = books.save(engine.save(workflow("w5", "a"), part=part(2, last=True)))

    assert first.details is None
    named = compared(last)
    assert [one.workflow_id for one in named.missing] == ["w5"]
    assert sorted(one.workflow_id for one in named.vanished) == ["w2", "w3"]
    assert (named.missing_count, named.vanished_count) == (1, 2)
    assert books.holding().count == 3
    assert books.holding().vanished_count == 2
    assert books.record.engine.list is None


def test_an_empty_list_is_one_empty_part_and_everything_vanishes() -> None:
    engine, books = given_books()
    books.save(engine.save(workflow("w1", "a"), workflow("w2", "a")))

    named = compared(books.save(engine.save(part=part(1, last=True))))

    assert named.vanished_count == 2
    assert (books.holding().count, books.holding().digest) == (0, 0)
    assert (books.record.engine.count, books.record.engine.digest) == (0, 0)


def test_a_list_of_one_account_says_nothing_of_others() -> None:
    engine, books = given_books(MAIL, CHAT)
    both = (
        SavedTask(task_id="a", account_id="mail"),
        SavedTask(task_id="b", account_id="chat"),
    )
    books.save(engine.save(SavedWorkflow(workflow_id="w1", owner="ada", tasks=both)))
    books.save(engine.save(workflow("w2", "a"), workflow("w3", "a", account_id="chat")))

    scope = part(1, last=True, scope="mail")
    named = compared(books.save(engine.save(workflow("w1", "a"), part=scope)))

    assert [one.workflow_id for one in named.vanished] == ["w2"]
    assert books.holding("chat").count == 2
    assert books.holding("chat").vanished_count == 0


def test_a_task_out_of_a_lists_scope_is_refused_and_the_next_part_breaks_the_list_off() -> None:
    engine, books = given_books(MAIL, CHAT)
    books.save(engine.save(workflow("w1", "a")))
    books.save(engine.save(part=part(1, scope="mail")))

    out = workflow("w2", "a", account_id="chat")
    refused = books.save(engine.save(out, part=part(2, scope="mail")))
    late = books.save(engine.save(part=part(3, last=True, scope="mail")))

    assert (reason(refused), reason(late)) == ("out_of_scope", "list_broken_off")
    assert books.holding().vanished_count == 0
    assert books.holding("chat") == NOTHING


def test_too_many_tasks_are_refused_and_take_their_number() -> None:
    engine, books = given_books()
    many = workflow("w1", *(f"t{one}" for one in range(MAX_TASKS + 1)))

    assert reason(books.save(engine.save(many))) == "too_many_tasks"
    assert done(books.save(engine.save(workflow("w1", "a")))).changed


def test_another_lists_part_one_breaks_a_list_off_and_nothing_vanishes_by_it() -> None:
    engine, books = given_books()
    books.save(engine.save(workflow("w1", "a"), workflow("w2", "a")))
    books.save(engine.save(part=part(1)))

    other = part(1, last=True, id_="l2", scope="mail")
    named = compared(books.save(engine.save(workflow("w1", "a"), part=other)))
    late = books.save(engine.save(part=part(2, last=True)))

    assert [one.workflow_id for one in named.vanished] == ["w2"]
    assert reason(late) == "list_broken_off"
    assert books.holding().count == 1


def test_a_new_epoch_breaks_a_list_off_and_what_it_named_stays_saved() -> None:
    engine, books = given_books()
    books.save(engine.save(workflow("w1", "a")))
    books.save(engine.save(workflow("w2", "a"), part=part(1)))

    books.begin()
    late = books.save(engine.save(part=part(2, last=True)))

    assert reason(late) == "list_broken_off"
    assert books.holding().count == 2
    assert books.holding().vanished_count == 0


def test_a_list_whose_part_is_missing_or_of_another_scope_is_broken_off() -> None:
    engine, books = given_books()
    books.save(engine.save(workflow("w1", "a")))

    for wrong in (part(3), part(2, scope="mail"), part(2, id_="l2")):
        books.save(engine.save(part=part(1)))
        assert reason(books.save(engine.save(part=wrong))) == "list_broken_off"
        assert reason(books.save(engine.save(part=part(2, last=True)))) == "list_broken_off"
    assert books.holding().count == 1


def test_a_dropped_part_takes_its_number_and_the_next_one_breaks_its_list_off() -> None:
    engine, books = given_books()
    books.save(engine.save(workflow("w1", "a")))
    books.save(engine.save(part=part(1)))

    given_up, refused = give_up(books.record.engine, engine.save(part=part(2)))
    assert given_up is not None
    books.record.engine = given_up
    late = books.save(engine.save(part=part(3, last=True)))

    assert (refused.reason, reason(late)) == ("dropped", "list_broken_off")
    assert books.record.engine.number == engine.number
    assert books.holding().count == 1


def test_a_refused_part_may_be_said_again() -> None:
    engine, books = given_books(MAIL, CHAT)
    books.save(engine.save(workflow("w1", "a"), workflow("w2", "a")))
    books.save(engine.save(workflow("w1", "a"), part=part(1, scope="mail")))
    out = workflow("w3", "a", account_id="chat")
    assert reason(books.save(engine.save(out, part=part(2, scope="mail")))) == "out_of_scope"

    again = part(2, last=True, scope="mail")
    named = compared(books.save(engine.save(workflow("w3", "a"), part=again)))

    assert [one.workflow_id for one in named.vanished] == ["w2"]


def test_what_an_earlier_list_left_out_is_named_until_it_is_saved_or_deleted() -> None:
    engine, books = given_books()
    books.save(engine.save(workflow("w1", "a"), workflow("w2", "a"), workflow("w3", "a")))
    books.save(engine.save(workflow("w1", "a"), part=part(1, last=True)))

    books.begin()
    asked_again = part(1, last=True, id_="l2", scope="mail")
    named = compared(books.save(engine.save(workflow("w1", "a"), part=asked_again)))
    books.delete(engine.delete("w2"))
    books.save(engine.save(workflow("w3", "a")))
    nothing = compared(
        books.save(engine.save(workflow("w1", "a"), workflow("w3", "a"), part=part(1, last=True)))
    )

    assert [one.workflow_id for one in named.vanished] == ["w2", "w3"]
    assert (named.vanished_count, nothing.vanished_count) == (2, 0)


def test_more_than_a_hundred_that_vanished_are_counted() -> None:
    engine, books = given_books()
    books.save(engine.save(*(workflow(f"w{one}", "a") for one in range(120))))

    named = compared(books.save(engine.save(part=part(1, last=True))))

    assert (len(named.vanished), named.vanished_count) == (100, 120)
