"""Who may change an account, and for whose news it is waited."""

from dataclasses import replace
from datetime import timedelta

import pytest
from keyturn_contracts.access import Level, MemberRole
from keyturn_contracts.actor import Role
from keyturn_contracts.credential_vault import (
    DeleteAccount,
    EditAccount,
    EditCredentials,
    VerifyAccount,
)
from keyturn_contracts.message import Command
from keyturn_contracts.rights import Facts, Grant

from services.credential_vault.rules.account import Desk
from services.credential_vault.rules.deletion import decide_deletion
from services.credential_vault.rules.editing import decide_account_edit, decide_rotation
from services.credential_vault.rules.verifying import decide_verification
from shared.decisions import Applied, Decision, Later, NotYetKnown, Refused
from tests.credential_vault.given import NOW, account, asked, desk, desk_for, version

EDIT = EditCredentials(account_id="mail", sealed="x")
RENAME = EditAccount(account_id="mail", name="Post")
DELETE = DeleteAccount(account_id="mail")
COMMANDS = [EDIT, RENAME, VerifyAccount(account_id="mail"), DELETE]
MEMBER: frozenset[Role] = frozenset({"member"})
LISTED: dict[str, MemberRole] = dict.fromkeys(("ada", "bob", "eve", "zoe"), "member")
SECOND = timedelta(seconds=1)

every_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda one: type(one).__name__)


def decide(
    before: Desk | None, command: Command, by: str = "ada", *roles: Role
) -> Decision[Desk, str]:
    about = frozenset(roles or ("member",))
    match command:
        case EditCredentials():
            one = asked(command, by=by, roles=about)
            if before is not None:
                before = replace(before, unsealed=desk_for(before.account, one).unsealed)
            return decide_rotation(before, one)
        case EditAccount():
            return decide_account_edit(before, asked(command, by=by, roles=about))
        case VerifyAccount():
            return decide_verification(before, asked(command, by=by, roles=about))
        case DeleteAccount():
            return decide_deletion(before, asked(command, by=by, roles=about))
        case _:
            raise AssertionError


def with_facts(
    grants: dict[str, Grant],
    *,
    members: dict[str, MemberRole] | None = None,
    owners: tuple[str, ...] = ("ada",),
) -> Desk:
    facts = Facts(
        has_list=members is not None, members=dict(members or {}), grants={"mail": dict(grants)}
    )
    return replace(desk(account()), facts=facts, owners=owners)


def is_allowed(decision: Decision[Desk, str]) -> bool:
    return isinstance(decision, Applied | Later)


def waits(before: Desk, command: Command, by: str, *roles: Role) -> Refused[object, str]:
    """Return what it becomes when no news comes."""
    with pytest.raises(NotYetKnown) as unknown:
        decide(before, command, by, *roles)
    return unknown.value.otherwise


@every_command
def test_an_unknown_account_a_deleted_one_and_one_being_added_look_alike(command: Command) -> None:
    for before in (
        None,
        desk(None),
        desk(account(state="deleted")),
        desk(account(version(1, "pending"), state="adding")),
    ):
        refused = decide(before, command)
        assert isinstance(refused, Refused)
        assert refused.reason == "account_unknown"
        assert refused.message == "There is no account mail in your brand."


@every_command
@pytest.mark.parametrize("role", ["member", "administrator"])
def test_an_owner_may_whatever_else_they_are(command: Command, role: Role) -> None:
    assert is_allowed(decide(with_facts({"ada": Grant("owner")}), command, "ada", role))


@every_command
@pytest.mark.parametrize(
    "grants", [{"ada": Grant("owner")}, {"ada": Grant("owner"), "bob": Grant("user")}]
)
def test_nobody_else_may_and_hears_whom_to_ask(command: Command, grants: dict[str, Grant]) -> None:
    refused = decide(with_facts(grants, members=LISTED), command, "bob")

    assert isinstance(refused, Refused)
    assert refused.reason == "not_an_owner"
    assert "and bob is none. Ask ada, who owns it." in refused.message


@every_command
def test_having_created_it_gives_no_right(command: Command) -> None:
    """`given.account` was added by Ada."""
    before = with_facts({"eve": Grant("owner")}, members=LISTED, owners=("eve",))

    refused = decide(before, command, "ada")

    assert isinstance(refused, Refused)
    assert refused.reason == "not_an_owner"


def test_a_refusal_says_what_only_an_owner_may_and_names_several() -> None:
    before = with_facts({}, members=LISTED, owners=("ada", "eve", "zoe"))

    refused = decide(before, DELETE, "bob")

    assert isinstance(refused, Refused)
    assert refused.message == (
        "Only an owner may delete mail, and bob is none. "
        "Ask one of its owners, such as ada or eve or zoe."
    )


@every_command
@pytest.mark.parametrize("role", ["member", "administrator"])
def test_while_nobody_owns_it_an_owner_is_waited_for(command: Command, role: Role) -> None:
    refused = waits(with_facts({}, members=LISTED, owners=()), command, "ada", role)

    assert refused.reason == "not_an_owner"
    assert refused.message.endswith(
        "Nobody owns it now: an administrator of your brand can make owners."
    )


@every_command
@pytest.mark.parametrize("level", ["user", None])
def test_an_administrator_may_have_been_made_an_owner_just_now(
    command: Command, level: Level | None
) -> None:
    grants = {} if level is None else {"bob": Grant(level)}

    before = with_facts(grants, members=LISTED)

    assert waits(before, command, "bob", "administrator").reason == "not_an_owner"


@every_command
@pytest.mark.parametrize("level", ["user", None])
def test_in_a_brand_without_a_list_anybody_may_have_been_made_an_owner_just_now(
    command: Command, level: Level | None
) -> None:
    """Or in one whose list is not known here yet."""
    grants = {} if level is None else {"bob": Grant(level)}

    assert waits(with_facts(grants), command, "bob").reason == "not_an_owner"


@pytest.mark.parametrize(("later", "is_theirs"), [(-SECOND, True), (0 * SECOND, False)])
def test_a_grant_holds_for_what_was_asked_before_its_end(
    later: timedelta, *, is_theirs: bool
) -> None:
    before = with_facts({"bob": Grant("owner", until=NOW)}, members=LISTED)

    decision = decide_deletion(before, asked(DELETE, by="bob", roles=MEMBER, at=NOW + later))

    assert is_allowed(decision) == is_theirs


@every_command
@pytest.mark.parametrize("owners", [("eve",), ()], ids=["another owner", "nobody else"])
def test_who_was_taken_off_the_list_may_nothing_whatever_their_grant_says(
    command: Command, owners: tuple[str, ...]
) -> None:
    before = with_facts({"ada": Grant("owner")}, members={"eve": "administrator"}, owners=owners)

    refused = decide(before, command, "ada", "administrator")

    assert isinstance(refused, Refused)
    assert refused.reason == "not_an_owner"
    assert refused.message == (
        "Only members of the brand can change its accounts, and ada is none: ask one of its "
        "administrators."
    )


@every_command
@pytest.mark.parametrize("members", [None, {"ada": "administrator"}], ids=["no list", "on a list"])
@pytest.mark.parametrize("roles", [("operator",), ("publisher", "operator")])
def test_whom_an_issuer_does_not_vouch_for_as_a_member_may_nothing(
    command: Command, members: dict[str, MemberRole] | None, roles: tuple[Role, ...]
) -> None:
    """Another issuer may vouch for somebody of the same name, and as something else."""
    before = with_facts({"ada": Grant("owner")}, members=members)

    refused = decide(before, command, "ada", *roles)

    assert isinstance(refused, Refused)
    assert refused.reason == "not_an_owner"


@every_command
def test_an_owner_on_the_list_may(command: Command) -> None:
    before = with_facts({"ada": Grant("owner")}, members={"ada": "member"})

    assert is_allowed(decide(before, command))
