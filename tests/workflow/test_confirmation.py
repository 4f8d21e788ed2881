"""When a confirmation counts, by the rules alone."""

import pytest
from keyturn_contracts.digest import to_hex
from keyturn_contracts.proof import read_value
from keyturn_contracts.receipt import digest_of_receipt
from keyturn_contracts.workflow import ConfirmRotation

from services.workflow.rules.engine import EngineLog
from shared.decisions import Applied, Decision, NotYetKnown, Refused, Unchanged
from tests.workflow.books import Books
from tests.workflow.given import RECEIPT, GivenEngine, workflow

TASKS = {"w1": ("a", "b")}


def given_books(*versions: int) -> tuple[GivenEngine, Books]:
    """Return an engine with two tasks, that has fetched these versions."""
    engine = GivenEngine()
    books = Books(engine)
    books.save(engine.save(workflow("w1", "a", "b")))
    for version in versions:
        books.receipts["mail", version] = digest_of_receipt(RECEIPT)
    return engine, books


def refused(decision: Decision[EngineLog, str]) -> Refused[EngineLog, str]:
    assert isinstance(decision, Refused)
    return decision


def test_a_confirmation_counts_when_list_and_receipt_are_right() -> None:
    engine, books = given_books(2)

    decision = books.tell(engine.confirm(2, TASKS))

    assert isinstance(decision, Applied)
    assert decision.events == ()
    assert decision.state.changed == {"mail"}
    evidence = decision.state.confirmed["mail"]
    assert evidence.confirmation is not None
    said = read_value(evidence.confirmation, ConfirmRotation)
    assert said is not None
    assert said.version == 2
    assert (books.holding().confirmed_version, books.holding().confirmed_holds) == (2, True)


@pytest.mark.parametrize("changes", [{"count": 1}, {"digest": "0" * 64}, {"count": 3}])
def test_a_list_that_differs_is_refused_without_a_word_about_what_was_expected(
    changes: dict[str, object],
) -> None:
    engine, books = given_books(2)

    decision = refused(books.tell(engine.confirm(2, TASKS, **changes)))

    assert (decision.reason, decision.details) == ("list_differs", None)
    shown = decision.message.replace("e1", "")
    assert not any(one.isdigit() for one in shown)
    assert books.holding().confirmed_version == 0


@pytest.mark.parametrize("receipt", [None, "0" * 64, digest_of_receipt(RECEIPT)])
def test_what_was_not_opened_cannot_be_confirmed(receipt: str | None) -> None:
    engine, books = given_books(2)

    decision = refused(books.tell(engine.confirm(2, TASKS, receipt=receipt)))

    assert decision.reason == "receipt_wrong"
    assert books.holding().confirmed_version == 0


def test_a_receipt_whose_news_has_not_come_is_waited_for() -> None:
    engine, books = given_books(1)
    confirmation = engine.confirm(2, TASKS)

    with pytest.raises(NotYetKnown) as waiting:
        books.tell(confirmation)

    assert waiting.value.otherwise.reason == "receipt_unknown"
    late = waiting.value.otherwise.state
    assert isinstance(late, EngineLog)
    assert late.engine.number == engine.number
    books.receipts["mail", 2] = digest_of_receipt(RECEIPT)
    assert isinstance(books.tell(confirmation), Applied)


def test_a_list_that_differs_is_refused_at_once_and_waits_for_no_receipt() -> None:
    engine, books = given_books()

    assert refused(books.tell(engine.confirm(2))).reason == "list_differs"


def test_an_account_that_nobody_knows_is_waited_for() -> None:
    engine, books = given_books()

    with pytest.raises(NotYetKnown) as waiting:
        books.tell(engine.confirm(2, account_id="none", holds=False))

    assert waiting.value.otherwise.reason == "account_unknown"


def test_a_refused_confirmation_has_taken_its_number() -> None:
    engine, books = given_books(2)
    reasons = [
        refused(books.tell(engine.confirm(2, count=9))).reason,
        refused(books.tell(engine.confirm(2, TASKS, receipt=None))).reason,
    ]

    assert reasons == ["list_differs", "receipt_wrong"]
    assert books.record.engine.number == engine.number
    assert isinstance(books.tell(engine.confirm(2, TASKS)), Applied)


def test_confirming_again_changes_nothing_and_keeps_the_newer_evidence() -> None:
    engine, books = given_books(2)
    books.tell(engine.confirm(2, TASKS))

    again = engine.confirm(2, TASKS)
    decision = books.tell(again)

    assert isinstance(decision, Unchanged)
    assert decision.state is not None
    evidence = decision.state.confirmed["mail"]
    assert evidence.confirmation is not None
    assert evidence.confirmation.id == again.id.id


def test_a_confirmed_version_only_rises() -> None:
    engine, books = given_books(2, 3)
    books.tell(engine.confirm(3, TASKS))

    decision = books.tell(engine.confirm(2, TASKS, holds=False))

    assert isinstance(decision, Unchanged)
    assert (books.holding().confirmed_version, books.holding().confirmed_holds) == (3, True)


def test_a_lower_confirmation_still_settles_failures_and_is_kept_as_evidence() -> None:
    engine, books = given_books(2, 3)
    failed = [{"workflow_id": "w1", "reason": "No route to host."}]
    books.tell(engine.confirm(3, TASKS, failed=failed, failed_count=1))
    assert books.holding().failed_count == 1

    decision = books.tell(engine.confirm(2, TASKS))

    assert isinstance(decision, Applied)
    assert (books.holding().failed_count, books.holding().confirmed_version) == (0, 3)
    evidence = decision.state.confirmed["mail"]
    assert (evidence.confirmation, evidence.failed) == (None, ())
    assert evidence.settlement is not None


def test_a_version_that_nobody_here_has_heard_of_is_kept_as_a_number() -> None:
    engine, books = given_books()

    assert isinstance(books.tell(engine.confirm(9, TASKS, holds=False)), Applied)
    assert books.holding().confirmed_version == 9


def test_the_digest_covers_suspended_bindings_too() -> None:
    engine, books = given_books()
    books.save(engine.save(workflow("w2", "a", owner="stranger")))

    tasks = {**TASKS, "w2": ("a",)}
    assert isinstance(books.tell(engine.confirm(1, tasks, holds=False)), Applied)
    assert books.holding().allowed_count == 2
    assert engine.confirmation(1, tasks).digest == to_hex(books.holding().digest)
