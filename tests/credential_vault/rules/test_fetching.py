"""Who may fetch, and what they are answered."""

from dataclasses import replace

import pytest
from keyturn_contracts.workflow import Reach

from services.credential_vault.rules.entitlement import NOTHING, Entitlement
from services.credential_vault.rules.fetching import Answer, Engine, Fetchable, judge_fetch
from tests.credential_vault.given import ENTITLED

ALL = Reach(all=True)
BY_ID = Reach(accounts=("mail",))
BY_EXTENSION = Reach(extensions=("smtp-relay",))
NEITHER = Reach(accounts=("chat",), extensions=("slack",))
ENGINE = Engine(id="e1", kind="confirming", lease_seconds=None, reach=ALL, state="registered")
MAIL = Fetchable(extension="smtp-relay", state="connected", version=3)


def judge(
    engine: Engine = ENGINE,
    account: Fetchable | None = MAIL,
    *,
    is_bound: bool = True,
    entitlement: Entitlement = ENTITLED,
    have: int | None = None,
) -> Answer:
    return judge_fetch(
        engine, "mail", account, is_bound=is_bound, entitlement=entitlement, have=have
    )


@pytest.mark.parametrize("reach", [ALL, BY_ID, BY_EXTENSION])
def test_an_engine_with_a_binding_in_its_reach_is_answered(reach: Reach) -> None:
    assert judge(replace(ENGINE, reach=reach)) == "sealed"


def test_an_account_that_needs_attention_is_still_answered() -> None:
    assert judge(account=replace(MAIL, state="needs_attention")) == "sealed"


@pytest.mark.parametrize("account", [MAIL, None, replace(MAIL, state="deleted")])
@pytest.mark.parametrize("is_bound", [True, False])
def test_of_what_is_out_of_reach_nothing_shows_whatever_the_engine_has_bound(
    account: Fetchable | None, *, is_bound: bool
) -> None:
    engine = replace(ENGINE, reach=NEITHER)

    assert judge(engine, account, is_bound=is_bound, have=3) == "out_of_reach"


def test_reach_by_extension_does_not_tell_which_accounts_there_are() -> None:
    assert judge(replace(ENGINE, reach=BY_EXTENSION), None) == "out_of_reach"


def test_a_retired_engine_reaches_nothing() -> None:
    assert judge(replace(ENGINE, state="retired")) == "out_of_reach"


def test_an_engine_without_an_allowed_binding_is_refused() -> None:
    assert judge(is_bound=False) == "not_bound"
    assert judge(is_bound=False, have=3) == "not_bound"


@pytest.mark.parametrize("account", [None, replace(MAIL, state="adding", version=0)])
def test_an_account_that_nobody_may_hear_of_is_unknown(account: Fetchable | None) -> None:
    assert judge(account=account) == "account_unknown"
    assert judge(replace(ENGINE, reach=BY_ID), account) == "account_unknown"
    assert judge(replace(ENGINE, reach=BY_EXTENSION), account) == "out_of_reach"


@pytest.mark.parametrize("is_bound", [True, False])
def test_a_deleted_account_is_answered_as_deleted_without_a_binding(*, is_bound: bool) -> None:
    assert judge(account=replace(MAIL, state="deleted"), is_bound=is_bound, have=3) == "deleted"


@pytest.mark.parametrize(
    ("have", "answer"), [(3, "unchanged"), (2, "sealed"), (4, "sealed"), (None, "sealed")]
)
def test_only_who_has_the_current_version_is_told_that_it_is_unchanged(
    have: int | None, answer: Answer
) -> None:
    assert judge(have=have) == answer


@pytest.mark.parametrize("is_bound", [True, False])
@pytest.mark.parametrize("have", [None, 3])
def test_what_the_brand_may_not_use_is_given_to_nobody(*, is_bound: bool, have: int | None) -> None:
    gone = replace(ENTITLED, is_licensed=False)
    uninstalling = replace(ENTITLED, party="third", state="uninstalling")

    assert judge(is_bound=is_bound, entitlement=gone, have=have) == "not_licensed"
    assert judge(is_bound=is_bound, entitlement=uninstalling, have=have) == "not_installed"
    assert judge(is_bound=is_bound, entitlement=NOTHING, have=have) == "not_licensed"


def test_holders_hear_of_a_deletion_though_the_brand_may_not_use_it_any_more() -> None:
    assert judge(account=replace(MAIL, state="deleted"), entitlement=NOTHING) == "deleted"
    assert judge(replace(ENGINE, reach=NEITHER), entitlement=NOTHING) == "out_of_reach"
