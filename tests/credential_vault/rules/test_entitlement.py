"""What a brand may use: what is licensed, and of third parties what is installed as well."""

from dataclasses import replace

import pytest
from keyturn_contracts.credential_vault import (
    AddAccount,
    CredentialsRotated,
    EditCredentials,
    VerifyAccount,
)
from keyturn_contracts.message import Command

from services.credential_vault.rules.account import Account, Desk
from services.credential_vault.rules.adding import decide_addition
from services.credential_vault.rules.editing import conclude_edit, decide_rotation
from services.credential_vault.rules.entitlement import (
    NOTHING,
    Entitlement,
    NotEntitled,
    why_not,
)
from services.credential_vault.rules.trial import Trial
from services.credential_vault.rules.verifying import decide_verification
from shared.decisions import Applied, Decision, Later, NotYetKnown, Refused
from shared.messaging.envelope import Asked
from tests.credential_vault.given import (
    ENTITLED,
    NOW,
    PUBLISHED,
    SETTINGS,
    account,
    asked,
    desk,
    desk_for,
    version,
)

THIRD = replace(ENTITLED, party="third", state="installed")
ADD = asked(
    AddAccount(
        account_id="mail",
        extension="smtp-relay",
        scheme="smtp-password",
        name="Mail",
        settings=SETTINGS,
        sealed="x",
    )
)
EDIT = asked(EditCredentials(account_id="mail", sealed="x"))
VERIFY = asked(VerifyAccount(account_id="mail"))
ACCEPTED = Trial(number=1, claim="mine", at=NOW, verdict="accepted")
PENDING = version(1, "pending", claim="mine", try_since=NOW, promoted_at=None)


@pytest.mark.parametrize(
    ("entitlement", "reason"),
    [
        (ENTITLED, None),
        (replace(ENTITLED, state="suspended"), None),
        (THIRD, None),
        (NOTHING, "not_licensed"),
        (replace(ENTITLED, is_licensed=False), "not_licensed"),
        (replace(THIRD, is_licensed=False), "not_licensed"),
        (replace(THIRD, state="suspended"), "not_licensed"),
        (replace(THIRD, state=None), "not_installed"),
        (replace(THIRD, state="uninstalling"), "not_installed"),
        (replace(THIRD, state="uninstalled"), "not_installed"),
        (replace(THIRD, party=None, state=None), "not_installed"),
    ],
)
def test_a_brand_may_use_what_is_licensed_and_of_third_parties_what_is_installed(
    entitlement: Entitlement, reason: NotEntitled | None
) -> None:
    assert why_not(entitlement) == reason


def decide(command: Asked[Command], entitlement: Entitlement) -> Decision[Desk, str]:
    """Decide one of the commands that need the right."""
    on_it = None if command is ADD else account()
    before = replace(
        desk_for(on_it, command), entitlements={"smtp-relay": entitlement}, contact="Grace"
    )
    if command is ADD:
        return decide_addition(before, ADD)
    return decide_rotation(before, EDIT) if command is EDIT else decide_verification(before, VERIFY)


@pytest.mark.parametrize("command", [ADD, EDIT, VERIFY], ids=["add", "edit", "verify"])
@pytest.mark.parametrize(
    ("entitlement", "reason"),
    [
        (replace(ENTITLED, is_licensed=False), "not_licensed"),
        (replace(THIRD, state="suspended"), "not_licensed"),
        (replace(THIRD, state=None), "not_installed"),
        (replace(THIRD, state="uninstalled"), "not_installed"),
    ],
)
def test_a_command_waits_for_news_that_would_allow_it_and_is_refused_with_whom_to_ask(
    command: Asked[Command], entitlement: Entitlement, reason: NotEntitled
) -> None:
    with pytest.raises(NotYetKnown) as waits:
        decide(command, entitlement)

    refused = waits.value.otherwise
    assert refused.reason == reason
    assert "smtp-relay is not" in refused.message
    assert ("reach out to Grace" in refused.message) == (reason == "not_licensed")


@pytest.mark.parametrize("command", [ADD, EDIT, VERIFY], ids=["add", "edit", "verify"])
def test_while_it_is_being_uninstalled_a_command_waits_for_nothing(
    command: Asked[Command],
) -> None:
    refused = decide(command, replace(THIRD, state="uninstalling"))

    assert isinstance(refused, Refused)
    assert (refused.reason, refused.state) == ("not_installed", None)


@pytest.mark.parametrize("command", [ADD, EDIT, VERIFY], ids=["add", "edit", "verify"])
def test_what_is_installed_is_used(command: Asked[Command]) -> None:
    assert isinstance(decide(command, THIRD), Later)


def test_to_a_brand_without_a_licence_it_does_not_show_that_an_extension_is_retired() -> None:
    retired = PUBLISHED.model_copy(update={"state": "retired"})
    before = replace(desk_for(None, ADD), extensions={"smtp-relay": retired}, entitlements={})

    with pytest.raises(NotYetKnown) as waits:
        decide_addition(before, ADD)

    assert waits.value.otherwise.reason == "not_licensed"


def settled(on_it: Account, entitlement: Entitlement) -> Decision[Desk, str]:
    before = replace(desk(on_it), entitlements={"smtp-relay": entitlement})
    return conclude_edit(before, ACCEPTED)


@pytest.mark.parametrize(
    ("entitlement", "reason"),
    [
        (replace(ENTITLED, is_licensed=False), "not_licensed"),
        (replace(THIRD, state="suspended"), "not_licensed"),
        (replace(THIRD, state="uninstalling"), "not_installed"),
    ],
)
def test_no_account_begins_of_what_the_brand_may_not_use_any_more(
    entitlement: Entitlement, reason: NotEntitled
) -> None:
    being_added = account(PENDING, state="adding", version=0, last_number=1)

    refused = settled(being_added, entitlement)

    assert isinstance(refused, Refused)
    assert refused.reason == reason
    assert refused.state is not None
    given_up = refused.state.account
    assert given_up is not None
    assert [(one.status, one.refusal) for one in given_up.versions] == [("refused", reason)]
    assert [(one.result, one.reason) for one in refused.state.entries] == [("refused", reason)]


def test_a_rotation_that_is_under_way_ends_as_its_provider_says() -> None:
    rotating = account(version(1, "current"), replace(PENDING, number=4), version=1, last_number=4)
    before = replace(desk(rotating), entitlements={"smtp-relay": NOTHING})

    decision = conclude_edit(before, replace(ACCEPTED, number=4))

    assert isinstance(decision, Applied)
    assert isinstance(decision.events[0], CredentialsRotated)


def test_a_rotation_that_was_not_tried_is_refused_as_the_brands_and_changes_nothing() -> None:
    rotating = account(version(1, "current"), replace(PENDING, number=4), version=1, last_number=4)

    refused = conclude_edit(desk(rotating), replace(ACCEPTED, number=4, verdict="not_licensed"))

    assert isinstance(refused, Refused)
    assert refused.reason == "not_licensed"
    assert "smtp-relay is not in your licence" in refused.message
    assert refused.state is not None
    after = refused.state.account
    assert after is not None
    assert (after.state, after.version) == ("connected", 1)
    assert [one.status for one in after.versions] == ["current", "refused"]
