"""Trying what is current, and a rotation to nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest
from keyturn_contracts.credential_vault import (
    AccountDeleted,
    AccountState,
    AccountVerified,
    DeleteAccount,
    VerifyAccount,
)

from services.credential_vault.rules.account import Account, Desk, Holder, event_about
from services.credential_vault.rules.deletion import decide_deletion
from services.credential_vault.rules.trial import Trial, Verdict
from services.credential_vault.rules.verifying import conclude_verification, decide_verification
from shared.decisions import Applied, Decision, Later, Refused
from tests.credential_vault.given import NOW, account, asked, desk, version

TRIED = account(version(3, try_since=NOW, claim="mine"))
VERIFY = VerifyAccount(account_id="mail")


def conclude(
    before: Account, verdict: Verdict = "accepted", *, claim: str = "mine", number: int = 3
) -> Decision[Desk, str]:
    trial = Trial(number=number, claim=claim, at=NOW, verdict=verdict, said="It said so.")
    return conclude_verification(desk(before), trial)


def test_a_verification_is_concluded_later() -> None:
    decision = decide_verification(desk(account()), asked(VERIFY))

    assert isinstance(decision, Later)
    assert decision.state.account == account(version(3, try_since=NOW))


def test_who_asks_while_it_is_being_tried_shares_that_try() -> None:
    later = asked(VERIFY, at=NOW + timedelta(seconds=3))

    decision = decide_verification(desk(TRIED), later)

    assert isinstance(decision, Later)
    assert decision.state.account == TRIED


def test_an_accepted_credential_connects_the_account() -> None:
    decision = conclude(replace(TRIED, state="needs_attention", reason="It was refused."))

    connected = account(version(3, claim="mine"))
    assert isinstance(decision, Applied)
    assert decision.state.account == connected
    assert decision.events == (event_about(AccountVerified, connected),)


@pytest.mark.parametrize("verdict", ["credentials_refused", "settings_invalid"])
def test_a_refused_credential_needs_attention_and_says_why(verdict: Verdict) -> None:
    decision = conclude(TRIED, verdict)

    assert isinstance(decision, Applied)
    (event,) = decision.events
    assert isinstance(event, AccountVerified)
    assert (event.state, event.reason, event.version) == ("needs_attention", "It said so.", 3)
    assert decision.state.entries[-1].reason == verdict


def test_a_provider_that_does_not_answer_leaves_the_account_as_it_was() -> None:
    decision = conclude(TRIED, "provider_unreachable")

    assert isinstance(decision, Refused)
    assert (decision.reason, decision.message) == ("provider_unreachable", "It said so.")
    assert decision.state is not None
    assert decision.state.account == account(version(3, claim="mine"))


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        ("address_refused", "provider_unreachable"),
        ("not_licensed", "not_licensed"),
        ("not_installed", "not_installed"),
    ],
)
@pytest.mark.parametrize("state", ["connected", "needs_attention"])
def test_what_says_nothing_of_the_credentials_leaves_the_account_as_it_was(
    verdict: Verdict, reason: str, state: AccountState
) -> None:
    decision = conclude(replace(TRIED, state=state), verdict)

    assert isinstance(decision, Refused)
    assert decision.reason == reason
    said = "It said so." if verdict == "address_refused" else "smtp-relay is not in"
    assert decision.message.startswith(said)
    assert decision.state is not None
    assert decision.state.account == account(version(3, claim="mine"), state=state)
    assert [(one.result, one.reason) for one in decision.state.entries] == [("refused", verdict)]


@pytest.mark.parametrize(("claim", "number"), [("another's", 3), ("mine", 2)])
def test_a_try_that_is_not_the_workers_own_any_more_says_nothing(claim: str, number: int) -> None:
    assert conclude(TRIED, claim=claim, number=number) == Later(desk(TRIED))


def test_a_try_that_has_been_answered_already_says_nothing() -> None:
    answered = account(version(3, claim="mine"))

    assert conclude(answered) == Later(desk(answered))


def test_who_waits_for_a_try_of_an_account_that_was_deleted_hears_so() -> None:
    deleted = replace(TRIED, state="deleted", version=4).with_version(
        version(3, "previous", try_since=NOW, claim="mine")
    )

    decision = conclude(deleted)

    assert isinstance(decision, Refused)
    assert decision.reason == "account_deleted"
    assert decision.state is not None
    assert decision.state.account is not None
    assert decision.state.account.state == "deleted"
    assert [one.try_since for one in decision.state.account.versions] == [None]


def test_deleting_is_a_rotation_to_nothing() -> None:
    before = account(
        version(2, "previous", retire="P1D"),
        version(3),
        last_number=6,
        holders=(Holder("e1", 3), Holder("e2", 2)),
        state="needs_attention",
        reason="It was refused.",
    )

    decision = decide_deletion(desk(before), asked(DeleteAccount(account_id="mail")))

    assert isinstance(decision, Applied)
    after = decision.state.account
    assert after is not None
    assert (after.state, after.version, after.last_number) == ("deleted", 7, 7)
    assert after.reason is None
    assert after.current is None
    assert [one.number for one in after.previous] == [2, 3]
    (event,) = decision.events
    assert event == event_about(AccountDeleted, after)
    assert isinstance(event, AccountDeleted)
    assert event.unretired == (2, 3)
    assert [one.engine_id for one in event.holders] == ["e1", "e2"]
    assert event.settings == before.settings


def test_a_deleted_account_leaves_an_edit_under_way_to_its_worker() -> None:
    pending = version(4, "pending", try_since=NOW, claim="mine")

    decision = decide_deletion(
        desk(account(version(3), pending, last_number=4)), asked(DeleteAccount(account_id="mail"))
    )

    assert isinstance(decision, Applied)
    assert decision.state.account is not None
    assert decision.state.account.pending == pending
    assert decision.state.account.version == 5
