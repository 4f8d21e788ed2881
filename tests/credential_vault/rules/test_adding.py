"""Adding an account."""

from dataclasses import replace

import pytest
from keyturn_contracts.actor import Role
from keyturn_contracts.catalog import Party
from keyturn_contracts.credential_vault import AccountAdded, AddAccount
from keyturn_contracts.installation import InstallationState
from keyturn_contracts.probes import ConsentProbe

from services.credential_vault.rules.account import Account, Desk, Unsealed, event_about
from services.credential_vault.rules.adding import decide_addition
from services.credential_vault.rules.audit import Entry
from services.credential_vault.rules.editing import conclude_edit
from services.credential_vault.rules.entitlement import Entitlement
from services.credential_vault.rules.trial import Trial
from shared.decisions import Applied, Later, NotYetKnown, Refused
from shared.messaging.envelope import Asked
from tests.credential_vault.given import (
    ADA,
    ENTITLED,
    NOW,
    PUBLISHED,
    SETTINGS,
    account,
    asked,
    desk,
    desk_for,
    fields,
    version,
)

ADD = AddAccount(
    account_id="mail",
    extension="smtp-relay",
    scheme="smtp-password",
    name="Mail",
    settings=SETTINGS,
    sealed="x",
)
FIRST = version(1, "pending", promoted_at=None, try_since=NOW, created_at=NOW, claim="mine")
BEING_ADDED = account(FIRST, state="adding", version=0, last_number=1)


def add(
    before: Account | None = None,
    command: AddAccount = ADD,
    unsealed: Unsealed | None = None,
    by: str = "ada",
    roles: frozenset[Role] = frozenset({"administrator"}),
) -> Later[Desk] | Refused[Desk, str]:
    one = asked(command, by=by, roles=roles)
    decision = decide_addition(desk_for(before, one, unsealed), one)
    assert isinstance(decision, Later | Refused)
    return decision


def trial(**changes: object) -> Trial:
    plain = Trial(number=1, claim="mine", at=NOW, verdict="accepted")
    return replace(plain, **changes)


def test_an_account_that_is_added_waits_for_its_provider_and_nobody_hears_of_it() -> None:
    decision = add()

    assert isinstance(decision, Later)
    added = decision.state.account
    first = replace(FIRST, claim=None, settings=SETTINGS)
    assert added == replace(BEING_ADDED, settings=SETTINGS, versions=(first,))
    assert added is not None
    pending = added.pending
    assert pending is not None
    assert pending.content == fields()
    assert decision.state.entries == (
        Entry(at=NOW, by=ADA, action="add", account_id="mail", result="begun", version=1),
    )


@pytest.mark.parametrize("role", ["member", "operator", "publisher"])
def test_only_an_administrator_adds(role: Role) -> None:
    refused = add(roles=frozenset({role}))

    assert isinstance(refused, Refused)
    assert refused.reason == "not_an_administrator"


@pytest.mark.parametrize("state", ["connected", "needs_attention", "deleted"])
def test_an_id_that_is_taken_is_never_used_again(state: str) -> None:
    refused = add(account(state=state))

    assert isinstance(refused, Refused)
    assert refused.reason == "account_exists"


def test_an_account_is_added_by_one_command_at_a_time() -> None:
    refused = add(BEING_ADDED)

    assert isinstance(refused, Refused)
    assert refused.reason == "edit_in_progress"


def test_an_account_that_was_refused_may_be_tried_again_by_anyone_under_a_new_number() -> None:
    given_up = account(state="adding", version=0, last_number=1)
    given_up = replace(given_up, versions=())

    decision = add(given_up, by="bob")

    assert isinstance(decision, Later)
    assert decision.state.account is not None
    assert decision.state.account.creator == "bob"
    assert [one.number for one in decision.state.account.versions] == [2]


def test_an_extension_whose_news_has_not_come_is_waited_for() -> None:
    one = asked(ADD)

    for before in (None, Desk(account=None, unsealed={one.id: fields()})):
        with pytest.raises(NotYetKnown) as waits:
            decide_addition(before, one)
        assert waits.value.otherwise.reason == "extension_unknown"


def retired(entitlement: Entitlement, command: Asked[AddAccount]) -> Desk:
    gone = PUBLISHED.model_copy(update={"state": "retired"})
    before = desk_for(None, command)
    return replace(
        before, extensions={"smtp-relay": gone}, entitlements={"smtp-relay": entitlement}
    )


@pytest.mark.parametrize("state", [None, "suspended"])
def test_a_retired_extension_that_a_brand_has_not_takes_no_account(
    state: InstallationState | None,
) -> None:
    """A licence given after it was retired installs nothing of the platform's own any more."""
    one = asked(ADD)

    with pytest.raises(NotYetKnown) as waits:
        decide_addition(retired(replace(ENTITLED, state=state), one), one)

    assert waits.value.otherwise.reason == "extension_unknown"
    assert "SMTP Relay is not offered any more" in waits.value.otherwise.message


@pytest.mark.parametrize("party", ["first", "third"])
def test_a_retired_extension_takes_further_accounts_where_it_is_installed(party: Party) -> None:
    one = asked(ADD)
    has_it = replace(ENTITLED, party=party, state="installed")

    assert isinstance(decide_addition(retired(has_it, one), one), Later)


@pytest.mark.parametrize("problem", ["sealed_invalid", "transport_key_expired"])
def test_credentials_that_do_not_open_are_refused_at_once(problem: Unsealed) -> None:
    refused = add(unsealed=problem)

    assert isinstance(refused, Refused)
    assert refused.reason == problem
    assert refused.state is None


def test_an_unknown_scheme_is_refused_with_the_known_ones() -> None:
    refused = add(command=ADD.model_copy(update={"scheme": "oauth"}))

    assert isinstance(refused, Refused)
    assert refused.reason == "scheme_unknown"
    assert "signing-secret, smtp-password" in refused.message


def test_a_scheme_that_cannot_be_tried_adds_no_account() -> None:
    consent = ConsentProbe(authorize_url="https://a.example/", token_url="https://a.example/t")
    [*_, last] = PUBLISHED.manifest.schemes
    scheme = last.model_copy(update={"id": "consent", "probe": consent})
    manifest = PUBLISHED.manifest.model_copy(update={"schemes": (scheme,)})
    one = asked(ADD.model_copy(update={"scheme": "consent"}))
    published = {"smtp-relay": PUBLISHED.model_copy(update={"manifest": manifest})}

    refused = decide_addition(replace(desk_for(None, one), extensions=published), one)

    assert isinstance(refused, Refused)
    assert refused.reason == "scheme_not_supported"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "host are needed"),
        ({"host": ""}, "host are needed"),
        ({**SETTINGS, "hunter2-canary": "x"}, "none of: from_address, host, port, security"),
        ({"host": "hunter2 canary"}, "host do not look"),
        ({**SETTINGS, "security": "none"}, "security do not look"),
        ({**SETTINGS, "port": "587 "}, "port do not look"),
    ],
)
def test_settings_are_judged_by_the_manifest_and_never_quoted(
    settings: dict[str, str], says: str
) -> None:
    refused = add(command=ADD.model_copy(update={"settings": settings}))

    assert isinstance(refused, Refused)
    assert refused.reason == "settings_invalid"
    assert says in refused.message
    assert "hunter2" not in refused.message


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (fields(password=""), "password are needed"),
        (fields(**{"hunter2-canary": "x"}), "none of: password, pin, username"),
        (fields(pin="hunter2-canary"), "pin do not look"),
    ],
)
def test_fields_are_judged_by_the_scheme_and_never_quoted(given: Unsealed, says: str) -> None:
    refused = add(unsealed=given)

    assert isinstance(refused, Refused)
    assert refused.reason == "fields_invalid"
    assert says in refused.message
    assert "hunter2" not in refused.message


def add_with_pattern(pattern: str, value: str) -> Later[Desk] | Refused[Desk, str]:
    """Add an account of an extension whose publisher wrote this pattern for the PIN."""
    [scheme, _] = PUBLISHED.manifest.schemes
    [*others, pin] = scheme.fields
    written = (*others, pin.model_copy(update={"pattern": pattern}))
    schemes = (scheme.model_copy(update={"fields": written}),)
    manifest = PUBLISHED.manifest.model_copy(update={"schemes": schemes})
    published = {"smtp-relay": PUBLISHED.model_copy(update={"manifest": manifest})}
    one = asked(ADD)
    decision = decide_addition(
        replace(desk_for(None, one, fields(pin=value)), extensions=published), one
    )
    assert isinstance(decision, Later | Refused)
    return decision


def test_a_publishers_pattern_cannot_hold_the_vault_up() -> None:
    refused = add_with_pattern("(a+)+$", "a" * 5000 + "b")

    assert isinstance(refused, Refused)
    assert (refused.reason, "pin do not look" in refused.message) == ("fields_invalid", True)
    assert isinstance(add_with_pattern("(a+)+$", "a" * 5000), Later)


def test_a_pattern_that_is_not_understood_lets_nothing_through() -> None:
    refused = add_with_pattern("(?=hunter2)h.*", "hunter2")

    assert isinstance(refused, Refused)
    assert refused.reason == "fields_invalid"
    assert "What pin looks like is said in a way that is not understood" in refused.message
    assert "hunter2" not in refused.message


def test_an_account_begins_when_its_provider_has_accepted_it() -> None:
    decision = conclude_edit(desk(BEING_ADDED), trial())

    assert isinstance(decision, Applied)
    added = decision.state.account
    assert added is not None
    assert (added.state, added.version) == ("connected", 1)
    assert decision.events == (event_about(AccountAdded, added),)
    assert added.current == replace(FIRST, status="current", promoted_at=NOW, try_since=None)


@pytest.mark.parametrize(
    "verdict",
    ["credentials_refused", "settings_invalid", "address_refused", "provider_unreachable"],
)
def test_an_account_that_its_provider_does_not_accept_is_not_added(verdict: str) -> None:
    decision = conclude_edit(desk(BEING_ADDED), trial(verdict=verdict, said="It said no."))

    assert isinstance(decision, Refused)
    assert (decision.reason, decision.message) == (verdict, "It said no.")
    assert decision.state is not None
    left = decision.state.account
    assert left is not None
    assert (left.state, left.version, left.last_number, left.pending) == ("adding", 0, 1, None)
    assert [(one.action, one.result) for one in decision.state.entries] == [("add", "refused")]
