"""What the access service's tests begin with: accounts, installations, members and commands."""

from datetime import UTC, datetime, timedelta
from typing import Any

from keyturn_contracts.access import (
    DisableExtension,
    EnableExtension,
    GrantAccess,
    GrantAccessToAll,
    Level,
    MemberRole,
    NewMember,
    OnLoss,
    RegisterMembers,
    RemoveMembers,
    RevokeAccess,
    SetAccessPolicy,
)
from keyturn_contracts.catalog import Party
from keyturn_contracts.credential_vault import AccountAdded, AccountChanged, AccountDeleted
from keyturn_contracts.installation import (
    DomainsChanged,
    ExtensionInstalled,
    InstallationChanged,
    InstallationState,
    Uninstallation,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)

LOUD = "loud-mail"
"""A third party's extension."""
STRICT = "strict-chat"
"""Another one."""
RELAY = "smtp-relay"
"""A first-party extension."""


def account(
    account_id: str = "mail", extension: str = LOUD, *, creator: str = "ada"
) -> AccountChanged:
    return AccountAdded.model_validate(_account(account_id, extension, creator))


def account_deleted(
    account_id: str = "mail", extension: str = LOUD, *, creator: str = "ada"
) -> AccountChanged:
    state = _account(account_id, extension, creator)
    return AccountDeleted.model_validate(state | {"state": "deleted", "version": 2})


def _account(account_id: str, extension: str, creator: str) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "extension": extension,
        "scheme": "secret",
        "name": f"Account {account_id}",
        "settings": {},
        "creator": creator,
        "state": "connected",
        "version": 1,
        "retire": "PT15M",
    }


def installation(
    extension: str = LOUD,
    *,
    party: Party = "third",
    state: InstallationState = "installed",
    uninstall_id: str | None = None,
) -> InstallationChanged:
    """Return news of one; with `uninstall_id` it is being, or was, uninstalled by that command."""
    kind = ExtensionInstalled if state == "installed" else DomainsChanged
    ending = None
    if uninstall_id is not None:
        ending = Uninstallation(
            uninstall_id=uninstall_id,
            by="root",
            reason="We changed to another.",
            started_at=NOON,
            deadline=LATER,
        )
    return kind(
        extension=extension,
        state=state,
        implicit=party == "first",
        party=party,
        preview=False,
        version=1,
        may_add_domains=False,
        domains_revision=1,
        uninstallation=ending,
    )


def member(member_id: str, role: MemberRole = "member", name: str = "") -> NewMember:
    return NewMember(member_id=member_id, role=role, name=name)


def register(*members: NewMember | str) -> RegisterMembers:
    return RegisterMembers(
        members=tuple(member(one) if isinstance(one, str) else one for one in members)
    )


def administrators(*members: str) -> RegisterMembers:
    return register(*(member(one, "administrator") for one in members))


def remove(*members: str) -> RemoveMembers:
    return RemoveMembers(members=members)


def policy(on_loss: OnLoss = "flag") -> SetAccessPolicy:
    return SetAccessPolicy(on_loss=on_loss)


def grant(
    *members: str, account: str = "mail", level: Level = "user", until: datetime | None = None
) -> GrantAccess:
    return GrantAccess(account_id=account, members=members, level=level, until=until)


def grant_all(
    *, account: str = "mail", level: Level = "user", until: datetime | None = None
) -> GrantAccessToAll:
    return GrantAccessToAll(account_id=account, level=level, until=until)


def revoke(*members: str, account: str = "mail") -> RevokeAccess:
    """Name members, or take away what everyone has."""
    return RevokeAccess(account_id=account, members=members, all=not members)


def enable(*members: str, extension: str = LOUD) -> EnableExtension:
    """Name members, or enable it for everyone."""
    return EnableExtension(extension=extension, members=members, all=not members)


def disable(*members: str, extension: str = LOUD) -> DisableExtension:
    return DisableExtension(extension=extension, members=members, all=not members)
