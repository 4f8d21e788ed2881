"""A rotation, and the rules that it keeps."""

from dataclasses import replace
from datetime import timedelta

import pytest
from keyturn_contracts.credential_vault import (
    AccountEdited,
    CredentialsRotated,
    DeleteAccount,
    EditAccount,
    EditCredentials,
)

from services.credential_vault.rules.account import Account, Desk, Holder, Unsealed, event_about
from services.credential_vault.rules.audit import Who
from services.credential_vault.rules.deletion import decide_deletion
from services.credential_vault.rules.editing import (
    conclude_edit,
    decide_account_edit,
    decide_rotation,
)
from services.credential_vault.rules.trial import Trial, Verdict, is_worth_another
from shared.decisions import Applied, Decision, Later, NotYetKnown, Refused, Unchanged
from tests.credential_vault.given import (
    ADA,
    COMPLETE,
    NOW,
    account,
    asked,
    desk,
    desk_for,
    fields,
    version,
)

EDIT = EditCredentials(account_id="mail", sealed="x")
PENDING = version(4, "pending", promoted_at=None, try_since=NOW, claim="mine", created_at=NOW)
ROTATING = account(version(3), PENDING, last_number=4)
BOB = Who("local", "bob")


def rotate(
    before: Account, command: EditCredentials = EDIT, unsealed: Unsealed | None = None
) -> Decision[Desk, str]:
    one = asked(command)
    return decide_rotation(desk_for(before, one, unsealed), one)


def conclude(
    before: Account, verdict: Verdict = "accepted", *, claim: str = "mine", number: int = 4
) -> Decision[Desk, str]:
    trial = Trial(number=number, claim=claim, at=NOW, verdict=verdict, said="It said so.")
    return conclude_edit(desk(before), trial)


def promoted(before: Account) -> Account:
    decision = conclude(before)
    assert isinstance(decision, Applied)
    assert decision.state.account is not None
    return decision.state.account


def test_a_rotation_waits_as_a_pending_version_with_the_next_number() -> None:
    decision = rotate(account(last_number=7), EDIT.model_copy(update={"retire": "P1D"}))

    assert isinstance(decision, Later)
    assert decision.state.account is not None
    pending = decision.state.account.pending
    assert pending is not None
    assert pending == replace(PENDING, number=8, retires="P1D", claim=None)
    assert pending.content == fields()
    assert decision.state.account.last_number == 8
    assert decision.state.account.version == 3


def test_one_edit_of_an_account_at_a_time() -> None:
    refused = rotate(ROTATING)

    assert isinstance(refused, Refused)
    assert refused.reason == "edit_in_progress"


@pytest.mark.parametrize(("replaces", "is_refused"), [(None, False), (3, False), (2, True)])
def test_an_edit_of_another_version_than_the_current_one_is_refused(
    replaces: int | None, *, is_refused: bool
) -> None:
    decision = rotate(account(), EDIT.model_copy(update={"replaces_version": replaces}))

    assert isinstance(decision, Refused) == is_refused
    if isinstance(decision, Refused):
        assert decision.reason == "version_differs"


def test_settings_that_are_not_given_stay_and_given_ones_replace_all() -> None:
    elsewhere = {**COMPLETE, "from_address": "old@example.com"}
    before = account(settings=elsewhere)

    for given, expected in (
        (None, elsewhere),
        ({"host": "new.example.com"}, {"host": "new.example.com"}),
    ):
        decision = rotate(before, EDIT.model_copy(update={"settings": given}))
        assert isinstance(decision, Later)
        assert decision.state.account is not None
        assert decision.state.account.settings == elsewhere
        pending = decision.state.account.pending
        assert pending is not None
        assert pending.settings == expected


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        ({**COMPLETE, "dropped": "x"}, None),
        ({"dropped": "x"}, "settings_invalid"),
        ({**COMPLETE, "port": "none", "dropped": "x"}, "settings_invalid"),
    ],
    ids=["of no name any more", "without one that is needed", "with one that is wrong"],
)
def test_kept_settings_are_judged_but_for_those_that_the_manifest_dropped(
    kept: dict[str, str], reason: str | None
) -> None:
    decision = rotate(account(settings=kept))

    assert (decision.reason if isinstance(decision, Refused) else None) == reason
    given = rotate(account(settings=kept), EDIT.model_copy(update={"settings": kept}))
    assert isinstance(given, Refused), "what somebody gives is judged whole"
    assert given.reason == "settings_invalid"


def test_an_edit_is_judged_by_the_manifest_at_once() -> None:
    cases: list[tuple[EditCredentials, Unsealed, str]] = [
        (EDIT, "sealed_invalid", "sealed_invalid"),
        (EDIT, "transport_key_expired", "transport_key_expired"),
        (EDIT, fields(password=""), "fields_invalid"),
        (EDIT.model_copy(update={"settings": {}}), fields(), "settings_invalid"),
        (EDIT.model_copy(update={"scheme": "oauth"}), fields(), "scheme_unknown"),
    ]
    for command, unsealed, reason in cases:
        refused = rotate(account(), command, unsealed)
        assert isinstance(refused, Refused)
        assert (refused.reason, refused.state) == (reason, None)


def test_an_extension_that_the_vault_has_forgotten_is_waited_for() -> None:
    one = asked(EDIT)

    with pytest.raises(NotYetKnown):
        decide_rotation(replace(desk_for(account(), one), extensions={}), one)


def test_a_promotion_makes_the_new_version_current_and_the_old_one_previous() -> None:
    before = replace(ROTATING, state="needs_attention", reason="It was refused.")

    decision = conclude(before)

    assert isinstance(decision, Applied)
    after = decision.state.account
    assert after is not None
    assert (after.state, after.reason, after.version) == ("connected", None, 4)
    assert [(one.number, one.status) for one in after.versions] == [(3, "previous"), (4, "current")]
    assert decision.events == (event_about(CredentialsRotated, after),)
    assert [(one.action, one.result, one.version) for one in decision.state.entries] == [
        ("rotate", "done", 4)
    ]


def test_a_promotion_announces_the_new_settings_and_every_holder() -> None:
    until = NOW + timedelta(minutes=5)
    before = replace(
        ROTATING.with_version(replace(PENDING, settings={"host": "new.example.com"})),
        holders=(
            Holder("e2", 3, until),
            Holder("e1", 3),
            Holder("e2", 2, until + timedelta(minutes=1)),
            Holder("gone", 1),
        ),
    ).with_version(version(2, "previous"))

    decision = conclude(before)

    assert isinstance(decision, Applied)
    (event,) = decision.events
    assert isinstance(event, CredentialsRotated)
    assert event.version == 4
    assert event.unretired == (2, 3)
    assert event.settings == {"host": "new.example.com"}
    assert [(one.engine_id, one.lease_until) for one in event.holders] == [
        ("e1", None),
        ("e2", until + timedelta(minutes=1)),
    ]


@pytest.mark.parametrize(
    ("own", "for_this_one", "expected"),
    [("PT15M", None, "PT15M"), ("PT15M", "when-complete", "when-complete"), ("now", "P1D", "P1D")],
)
def test_how_the_old_version_is_retired_is_settled_at_the_promotion(
    own: str, for_this_one: str | None, expected: str
) -> None:
    before = replace(ROTATING, retire=own).with_version(replace(PENDING, retires=for_this_one))

    after = promoted(before)

    old = after.find(3)
    assert old is not None
    assert (old.retire, old.retire_at) == (expected, None)
    assert after.retire == own


@pytest.mark.parametrize(("own", "for_this_one"), [("now", None), ("PT15M", "now")])
def test_retire_now_has_the_old_version_retired_at_once_with_the_actor_on_record(
    own: str, for_this_one: str | None
) -> None:
    before = replace(ROTATING, retire=own).with_version(
        replace(PENDING, retires=for_this_one, created_by=BOB)
    )

    old = promoted(before).find(3)

    assert old is not None
    assert (old.status, old.retire_at, old.ended_by) == ("previous", NOW, BOB)


@pytest.mark.parametrize(
    "verdict",
    ["credentials_refused", "settings_invalid", "address_refused", "provider_unreachable"],
)
def test_a_refused_credential_changes_nothing_but_its_number(verdict: Verdict) -> None:
    decision = conclude(ROTATING, verdict)

    assert isinstance(decision, Refused)
    assert (decision.reason, decision.message) == (verdict, "It said so.")
    assert decision.state is not None
    after = decision.state.account
    assert after is not None
    refused = after.find(4)
    assert refused is not None
    assert (refused.status, refused.refusal, refused.ended_at) == ("refused", verdict, NOW)
    assert refused.try_since is None, "nobody waits for it any more"
    assert [(one.action, one.result) for one in decision.state.entries] == [("rotate", "refused")]
    assert replace(after, versions=(version(3),)) == account(last_number=4)


def test_numbers_only_rise_and_a_refused_one_is_never_used_again() -> None:
    refused = conclude(ROTATING, "credentials_refused")
    assert isinstance(refused, Refused)
    assert refused.state is not None
    assert refused.state.account is not None

    again = rotate(refused.state.account)

    assert isinstance(again, Later)
    assert again.state.account is not None
    assert again.state.account.pending is not None
    assert again.state.account.pending.number == 5


@pytest.mark.parametrize(("claim", "number"), [("another's", 4), ("mine", 3), ("mine", 5)])
def test_a_worker_that_comes_back_late_concludes_nothing(claim: str, number: int) -> None:
    assert conclude(ROTATING, claim=claim, number=number) == Later(desk(ROTATING))
    assert conclude(account(), claim=claim, number=number) == Later(desk(account()))


@pytest.mark.parametrize("verdict", ["accepted", "credentials_refused", "provider_unreachable"])
def test_an_edit_under_way_of_an_account_that_was_deleted_is_refused(verdict: Verdict) -> None:
    deletion = decide_deletion(desk(ROTATING), asked(DeleteAccount(account_id="mail")))
    assert isinstance(deletion, Applied)
    assert deletion.state.account is not None

    decision = conclude(deletion.state.account, verdict)

    assert isinstance(decision, Refused)
    assert decision.reason == "account_deleted"
    assert decision.state is not None
    after = decision.state.account
    assert after is not None
    assert (after.state, after.version, after.pending) == ("deleted", 5, None)


def test_who_waits_for_a_try_of_the_replaced_version_waits_for_one_of_the_new_version() -> None:
    before = ROTATING.with_version(version(3, try_since=NOW, claim="other"))

    after = promoted(before)

    assert [(one.number, one.try_since) for one in after.versions] == [(3, None), (4, NOW)]


@pytest.mark.parametrize(
    ("waited", "verdict", "expected"),
    [
        (0, "provider_unreachable", True),
        (29, "provider_unreachable", True),
        (30, "provider_unreachable", False),
        (0, "credentials_refused", False),
        (0, "settings_invalid", False),
        (0, "accepted", False),
    ],
)
def test_a_provider_that_does_not_answer_is_tried_again_for_half_a_minute(
    waited: int, verdict: Verdict, *, expected: bool
) -> None:
    trial = Trial(number=4, claim="", at=NOW + timedelta(seconds=waited), verdict=verdict)

    assert is_worth_another(NOW, trial) == expected


def test_editing_an_account_changes_its_name_and_its_setting_for_retirement() -> None:
    command = EditAccount(account_id="mail", name="Post", retire="P1D")

    decision = decide_account_edit(desk(account()), asked(command))

    edited = account(name="Post", retire="P1D")
    assert isinstance(decision, Applied)
    assert decision.state.account == edited
    assert decision.events == (event_about(AccountEdited, edited),)
    assert decision.state.entries[-1].by == ADA


def test_editing_an_account_into_what_it_is_changes_nothing() -> None:
    for command in (EditAccount(account_id="mail"), EditAccount(account_id="mail", name="Mail")):
        assert isinstance(decide_account_edit(desk(account()), asked(command)), Unchanged)
