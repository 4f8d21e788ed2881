"""An account and its versions, as every rule of the vault sees them, and what its events say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from keyturn_contracts.catalog import ExtensionChanged
from keyturn_contracts.credential_vault import AccountChanged, AccountState, HolderRef
from keyturn_contracts.rights import Facts

from services.credential_vault.rules.audit import Action, Entry, Result, Who
from services.credential_vault.rules.entitlement import NOTHING, Entitlement
from shared.messaging.envelope import CommandId
from shared.security.secret_fields import SecretFields

VersionStatus = Literal["pending", "current", "previous", "retired", "refused"]
Unsealed = SecretFields | Literal["sealed_invalid", "transport_key_expired"]
"""What came of opening a command's sealed credentials, or why it did not open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Settings and credentials together."""

    number: int
    status: VersionStatus
    scheme: str
    settings: Mapping[str, str]
    created_at: datetime
    created_by: Who
    content: SecretFields | None = field(default=None, compare=False)
    """Of a version that is new: to be encrypted when it is saved. Never loaded."""
    retires: str | None = None
    """Of a pending one: how the version that it replaces is retired, if not as the account says."""
    retire: str | None = None
    """Of a previous one: how it is retired, settled when it was replaced."""
    promoted_at: datetime | None = None
    ended_at: datetime | None = None
    """When it was retired or refused."""
    ended_by: Who | None = None
    refusal: str | None = None
    try_since: datetime | None = None
    """Since when somebody has been waiting for what the provider says of it."""
    retire_at: datetime | None = None
    claim: str | None = None
    """Whose work on it counts now: a worker that comes with another token is too late."""


@dataclass(frozen=True, slots=True)
class Holder:
    """An engine that fetched one version; of a leasing one, until when it may use it."""

    engine_id: str
    version: int
    lease_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account with those of its versions that are not history yet, and who fetched them."""

    id: str
    extension: str
    name: str
    creator: str
    retire: str
    state: Literal[AccountState, "adding"]
    """While it is `adding`, no provider has accepted it yet, and nobody hears of it."""
    reason: str | None = None
    version: int = 0
    """The current one; of a deleted account the number of the rotation to nothing; 0 for none."""
    last_number: int = 0
    """The highest number that was ever given, to a refused version too."""
    scheme: str
    settings: Mapping[str, str]
    versions: tuple[Version, ...] = ()
    holders: tuple[Holder, ...] = ()
    """A copy of what fetches recorded: read here, never saved from here."""

    @property
    def is_known(self) -> bool:
        """Whether anybody may hear of it: it was added and is not deleted."""
        return self.state in {"connected", "needs_attention"}

    @property
    def pending(self) -> Version | None:
        return next((one for one in self.versions if one.status == "pending"), None)

    @property
    def current(self) -> Version | None:
        return next((one for one in self.versions if one.status == "current"), None)

    @property
    def previous(self) -> tuple[Version, ...]:
        return tuple(one for one in self.versions if one.status == "previous")

    def find(self, number: int) -> Version | None:
        return next((one for one in self.versions if one.number == number), None)

    def with_version(self, changed: Version) -> "Account":
        """Return it with this version instead of the one of the same number, or besides."""
        others = [one for one in self.versions if one.number != changed.number]
        return replace(self, versions=tuple(sorted([*others, changed], key=lambda v: v.number)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a rule has before it: the account, and what the commands at hand need to be judged."""

    account: Account | None
    loaded: Account | None = field(default=None, compare=False)
    """The account as it was when it was locked: what differs is to be saved."""
    extensions: Mapping[str, ExtensionChanged] = field(default_factory=dict[str, ExtensionChanged])
    """What the catalog said of the extensions that the account or a command names."""
    entitlements: Mapping[str, Entitlement] = field(default_factory=dict[str, Entitlement])
    """How the same extensions stand with the brand."""
    contact: str = "the operator of your platform"
    """Whom to turn to about the licence."""
    facts: Facts = field(default_factory=Facts)
    """Of those who ask: their places on the brand's list, and the grants that make them owners."""
    owners: tuple[str, ...] = ()
    """Some who own the account now, so that a refusal says whom to ask; empty: nobody does."""
    unsealed: Mapping[CommandId, Unsealed] = field(
        default_factory=dict[CommandId, Unsealed], compare=False
    )
    entries: tuple[Entry, ...] = ()
    """What happened and is to be on record, in the order in which it did."""

    def entitlement(self, slug: str) -> Entitlement:
        return self.entitlements.get(slug, NOTHING)

    def on_record(
        self,
        account: Account,
        *,
        at: datetime,
        by: Who,
        action: Action,
        result: Result,
        version: int | None = None,
        reason: str | None = None,
    ) -> "Desk":
        """Return the desk with the account as it has become, and what is recorded of it."""
        entry = Entry(
            at=at,
            by=by,
            action=action,
            account_id=account.id,
            result=result,
            version=version,
            reason=reason,
        )
        return replace(self, account=account, entries=(*self.entries, entry))


def told(account: Account) -> dict[str, Any]:
    """Return what every event about an account says: all of its state, and no secret."""
    earlier = [one.number for one in account.previous]
    alive = {*earlier, account.version}
    return {
        "account_id": account.id,
        "extension": account.extension,
        "scheme": account.scheme,
        "name": account.name,
        "settings": dict(account.settings),
        "creator": account.creator,
        "state": account.state,
        "reason": account.reason,
        "version": account.version,
        "holders": _holders(one for one in account.holders if one.version in alive),
        "unretired": tuple(earlier),
        "retire": account.retire,
    }


def event_about(kind: type[AccountChanged], account: Account) -> AccountChanged:
    return kind.model_validate(told(account))


def _holders(fetched: Iterable[Holder]) -> tuple[HolderRef, ...]:
    """Return each engine once, with the end of its last lease."""
    leases: dict[str, datetime | None] = {}
    for one in fetched:
        known = leases.get(one.engine_id)
        ends = [end for end in (known, one.lease_until) if end is not None]
        leases[one.engine_id] = max(ends) if ends else None
    return tuple(
        HolderRef(engine_id=engine_id, lease_until=until)
        for engine_id, until in sorted(leases.items())
    )
