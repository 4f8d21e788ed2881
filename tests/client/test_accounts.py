"""What an engine does next about an account: each rule has a test of its name."""

from dataclasses import replace

import pytest
from keyturn_client.engine.accounts import Account, Kept, next_step
from keyturn_contracts.sealing import Fetched

NOW = 100.0


def given_fetched(version: int) -> Fetched:
    return Fetched(account_id="mail", version=version, fields={}, settings={}, receipt="a" * 64)


def given_account(
    *,
    holds: int | None = None,
    bindings: int = 1,
    heard: int = 0,
    named: int = 0,
    confirmed: int = 0,
) -> Account:
    """Return an account that the service knows to be bound."""
    return Account(
        account_id="mail",
        kept=Kept(heard=heard, named=named, confirmed=confirmed),
        bindings=bindings,
        told=bindings > 0,
        held=None if holds is None else given_fetched(holds),
    )


def step(account: Account, *, oldest_run: int | None = None, now: float = NOW) -> str:
    return next_step(account, oldest_run, now)


def test_what_is_bound_is_fetched_applied_and_confirmed() -> None:
    account = given_account()
    assert step(account) == "fetch"
    account.held = given_fetched(1)
    account.kept = account.kept.hear(1)
    assert step(account) == "confirm"
    account.kept = account.kept.confirm(1, 0, settles=True)
    assert step(account) == "wait"


def test_nothing_is_fetched_before_the_service_knows_the_binding() -> None:
    account = given_account()
    account.told = False
    assert step(account) == "wait"


def test_the_floor_a_version_below_the_newest_heard_of_is_neither_enough_nor_confirmed() -> None:
    account = given_account(holds=2, heard=3, confirmed=2)
    assert step(account) == "fetch"
    account.fetch_at = NOW + 1
    assert step(account) == "wait"


def test_the_floor_only_rises() -> None:
    kept = Kept().hear(3).hear(2)
    assert kept.heard == 3
    assert kept.be_asked((1, 2, 1), vanished=False).heard == 3


def test_after_a_restart_the_vault_is_asked_before_anything_is_used() -> None:
    # The file knows that version 3 was confirmed; the credential was in memory alone.
    account = given_account(heard=3, confirmed=3)
    assert step(account) == "fetch"


def test_a_confirmation_waits_until_no_run_holds_an_older_version() -> None:
    account = given_account(holds=3, heard=3, confirmed=2)
    assert step(account, oldest_run=2) == "wait"
    assert step(account, oldest_run=3) == "confirm"
    assert step(account, oldest_run=4) == "confirm"


def test_letting_go_with_the_last_binding_the_engine_drops_its_credential() -> None:
    account = given_account(holds=3, bindings=0, heard=3, confirmed=3)
    assert step(account) == "let_go"
    account.held = None
    assert step(account) == "wait"


def test_letting_go_is_confirmed_when_it_is_asked_for() -> None:
    account = given_account(bindings=0, heard=3, confirmed=3)
    account.kept = account.kept.be_asked((1, 4, 1), vanished=False)
    assert (step(account), account.let_go_version) == ("confirm_let_go", 4)
    account.kept = account.kept.confirm(4, 0, settles=True)
    assert step(account) == "wait"


def test_letting_go_is_not_confirmed_while_any_run_holds_a_credential() -> None:
    account = given_account(bindings=0, named=4)
    assert step(account, oldest_run=4) == "wait"
    assert step(account, oldest_run=None) == "confirm_let_go"


def test_a_version_heard_of_a_stranger_account_is_nobodys_business() -> None:
    assert step(given_account(bindings=0, heard=3)) == "wait"


def test_a_deleted_account_is_let_go_and_confirmed_for_the_version_that_deleted_it() -> None:
    account = given_account(holds=3, heard=4, confirmed=3)
    account.deleted = 4
    assert step(account) == "let_go"
    account.held = None
    assert step(account, oldest_run=3) == "wait"
    assert (step(account), account.let_go_version) == ("confirm_let_go", 4)


def test_a_refused_fetch_is_repeated_after_the_list_and_then_lets_go() -> None:
    account = given_account(holds=2, heard=3, confirmed=2)
    account.refusals, account.listing = 1, True
    assert step(account) == "wait"
    account.listing = False
    assert step(account) == "fetch"
    account.refusals, account.fetch_at = 2, NOW + 10
    assert step(account) == "let_go"
    account.held = None
    assert (step(account), account.let_go_version) == ("confirm_let_go", 3)
    account.kept = account.kept.confirm(3, 0, settles=True)
    assert step(account) == "wait"
    # Asked again later, whatever was confirmed.
    assert step(account, now=NOW + 10) == "fetch"


def test_doubt_asks_the_vault_although_nothing_newer_was_heard_of() -> None:
    account = given_account(holds=3, heard=3, confirmed=3)
    account.doubted = True
    assert step(account) == "fetch"


def test_what_is_under_way_is_waited_for() -> None:
    for name in ("busy", "listing"):
        account = given_account(heard=3)
        setattr(account, name, True)
        assert step(account) == "wait"
    account = given_account(holds=3, heard=3)
    account.confirming = "c1"
    assert step(account) == "wait"
    account.confirming, account.confirm_at = None, NOW + 1
    assert step(account) == "wait"


def test_a_first_question_asks_for_what_the_version_asks_for_anyway() -> None:
    kept = Kept(heard=3, confirmed=3).be_asked((1, 3, 1), vanished=False)
    assert (kept.owes, kept.named) == ("nothing", 3)


def test_a_leg_that_is_asked_again_confirms_again() -> None:
    kept = Kept(heard=3, confirmed=3).be_asked((1, 3, 2), vanished=False)
    account = given_account(holds=3)
    account.kept = kept
    assert step(account) == "confirm"


def test_a_question_that_was_heard_before_asks_for_nothing() -> None:
    kept = Kept().be_asked((1, 3, 2), vanished=False).owe("nothing")
    assert kept.be_asked((1, 3, 2), vanished=False) == kept
    assert kept.be_asked((1, 2, 9), vanished=True) == kept


def test_a_restored_service_counts_its_questions_anew() -> None:
    kept = Kept().be_asked((1, 3, 5), vanished=False).owe("nothing")
    assert kept.be_asked((2, 3, 2), vanished=False).owes == "confirmation"


def test_what_vanished_is_answered_with_the_list_and_a_confirmation_after_it() -> None:
    account = given_account(holds=3, heard=3, confirmed=3)
    account.kept = account.kept.be_asked((1, 3, 1), vanished=True)
    assert step(account) == "send_list"
    account.kept = account.kept.listed()
    assert step(account) == "confirm"


def test_the_list_is_not_forgotten_for_a_confirmation() -> None:
    kept = Kept().be_asked((1, 3, 1), vanished=True).be_asked((1, 3, 2), vanished=False)
    assert kept.owes == "list"
    assert kept.confirm(3, 0, settles=True).owes == "list"


def test_an_owed_list_is_not_replaced_by_the_confirmation_that_follows_it() -> None:
    owing = Kept().owe("list")

    assert owing.owe("confirmation").owes == "list"
    assert owing.listed().owes == "confirmation"


def test_what_was_asked_while_a_confirmation_was_under_way_is_still_owed() -> None:
    kept = replace(Kept(), owes="confirmation")
    assert kept.confirm(3, 0, settles=False).owes == "confirmation"
    assert kept.confirm(3, 0, settles=True).owes == "nothing"


def test_a_lower_confirmation_lowers_nothing() -> None:
    assert Kept(confirmed=5).confirm(4, 2, settles=True) == Kept(confirmed=5, failures=2)


@pytest.mark.parametrize("failed", [0, 3])
def test_the_file_remembers_how_many_failures_were_confirmed(failed: int) -> None:
    assert Kept(heard=3).confirm(3, failed, settles=True).failures == failed
