"""Messages owned by the credential vault. No secret appears here in clear, ever."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, StringConstraints, field_validator

from keyturn_contracts.ids import Hex256, Id, Slug
from keyturn_contracts.installation import Clearance
from keyturn_contracts.message import Command, Event, Message, Part

Retire = Annotated[
    str,
    StringConstraints(
        pattern=(
            r"^(?:when-complete|now|P[0-9]{1,3}D|P(?:[0-9]{1,3}D)?T"
            r"(?:[0-9]{1,4}H(?:[0-9]{1,5}M)?(?:[0-9]{1,6}S)?"
            r"|[0-9]{1,5}M(?:[0-9]{1,6}S)?|[0-9]{1,6}S))$"
        )
    ),
]
"""When the previous version is retired: `when-complete`, `now` (at the promotion: it is
compromised), or an ISO 8601 duration after completion in days, hours, minutes and seconds."""

DEFAULT_RETIRE = "PT15M"

AccountState = Literal["connected", "needs_attention", "deleted"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Sealed = Annotated[str, StringConstraints(min_length=1, max_length=256 * 1024)]
"""A compact JWE to the vault's newest transport key; `keyturn_contracts.sealing` makes it."""
Settings = dict[
    Annotated[str, StringConstraints(max_length=64)],
    Annotated[str, StringConstraints(max_length=2000)],
]

_NotForTheBrand = Literal["not_licensed", "not_installed"]
"""Of an extension outside the brand's licence; of a third party's that nobody installed."""
_BadCredentials = Literal[
    "sealed_invalid",
    "transport_key_expired",
    "fields_invalid",
    "settings_invalid",
    "scheme_unknown",
    "scheme_not_supported",
    "address_refused",
    "credentials_refused",
    "provider_unreachable",
    "account_deleted",
]

AddAccountReason = Literal[
    "account_exists",
    "extension_unknown",
    "edit_in_progress",
    "not_an_administrator",
    _NotForTheBrand,
    _BadCredentials,
]
EditAccountReason = Literal["account_unknown", "not_an_owner"]
EditCredentialsReason = Literal[
    "account_unknown",
    "not_an_owner",
    "edit_in_progress",
    "version_differs",
    "extension_unknown",
    _NotForTheBrand,
    _BadCredentials,
]
VerifyAccountReason = Literal[
    "account_unknown",
    "not_an_owner",
    "account_deleted",
    "provider_unreachable",
    "scheme_not_supported",
    _NotForTheBrand,
]
DeleteAccountReason = Literal["account_unknown", "not_an_owner"]


class AboutAccount(Message):
    """Base of the messages about one account."""

    service: ClassVar = "credential-vault"
    kind: ClassVar = "accounts"

    account_id: Id

    @property
    def subject_id(self) -> str:
        return self.account_id


class AddAccount(AboutAccount, Command):
    """Connect to an extension. The connection is tried first, and answered when that is done."""

    reasons: ClassVar = get_args(AddAccountReason)

    extension: Slug
    scheme: Slug
    name: Name
    settings: Settings
    sealed: Sealed
    retire: Retire = DEFAULT_RETIRE

    @field_validator("account_id")
    @classmethod
    def _is_no_scope(cls, account_id: str) -> str:
        if account_id == "everything":
            raise ValueError("An engine's whole list is called so: choose another id.")
        return account_id


class EditAccount(AboutAccount, Command):
    """Change what is not part of a version; what is absent stays as it is."""

    reasons: ClassVar = get_args(EditAccountReason)

    name: Name | None = None
    retire: Retire | None = None


class EditCredentials(AboutAccount, Command):
    """Begin a rotation. Answered when the provider has accepted or refused the credentials.

    Settings change only together with credentials: else a kept password could be sent to a new
    host. Absent, they stay as they are; present, they replace all of them.
    """

    reasons: ClassVar = get_args(EditCredentialsReason)

    sealed: Sealed
    scheme: Slug | None = None
    settings: Settings | None = None
    replaces_version: int | None = Field(default=None, ge=1)
    """Refuse as `version_differs` unless this is the current version."""
    retire: Retire | None = None
    """For this rotation alone, instead of the account's own."""


class VerifyAccount(AboutAccount, Command):
    """Try the current credentials at their provider. Answered when it has answered."""

    reasons: ClassVar = get_args(VerifyAccountReason)


class DeleteAccount(AboutAccount, Command):
    """Rotate to nothing: engines let go and confirm it, then every version is retired."""

    reasons: ClassVar = get_args(DeleteAccountReason)


class HolderRef(Part):
    """An engine that fetched a version which is not retired; `lease_until` of a leasing one."""

    engine_id: Id
    lease_until: datetime | None = None


class AccountChanged(AboutAccount, Event):
    """Base of the events about an account: all its state after the change, and no secret.

    Readers act on `version` and `state`, never on the event's name, which compaction may skip.
    """

    extension: Slug
    scheme: Slug
    name: Name
    settings: Settings
    creator: str
    """The member who added it, and became its first owner; who owns it now is in `access`."""
    state: AccountState
    reason: str | None = None
    """Why it needs attention, in a sentence for people."""
    version: int = Field(ge=1)
    """The current version; of a deleted account the number of the rotation to nothing."""
    holders: tuple[HolderRef, ...] = ()
    """Every engine that ever fetched a version which is not retired yet."""
    unretired: tuple[int, ...] = ()
    """Earlier versions that are not retired yet."""
    retire: Retire


class AccountAdded(AccountChanged):
    """The connection was tried and works."""


class AccountEdited(AccountChanged):
    """Its name or its setting for retirement changed."""


class AccountVerified(AccountChanged):
    """The provider has been asked again."""


class CredentialsRotated(AccountChanged):
    """A new version is current. A fetch answers nothing older from here on."""


class CredentialsRetired(AccountChanged):
    """Earlier versions are gone: revoked where the provider can, their keys destroyed."""


class AccountDeleted(AccountChanged):
    """A rotation to nothing: whoever holds a version of it must let go."""


class CredentialFetched(Event):
    """An engine fetched a version that is new to it. State of a holder: its newest version."""

    service: ClassVar = "credential-vault"
    kind: ClassVar = "holders"

    account_id: Id
    engine_id: Id
    version: int = Field(ge=1)
    receipt_sha256: Hex256
    lease_until: datetime | None = None

    @property
    def subject_id(self) -> str:
        return f"{self.account_id}/{self.engine_id}"


class ExtensionCleared(Clearance):
    """The vault's part of an uninstallation: the extension's accounts are deleted."""

    service: ClassVar = "credential-vault"

    accounts: int = Field(ge=0)
    """How many were deleted for it."""


class CredentialsWanted(Part):
    """One account of a fetch. `have`: the version that the engine holds already."""

    id: Id
    have: int | None = Field(default=None, ge=1)


class FetchCredentials(Part):
    """The body of `POST /v1/credentials`."""

    accounts: tuple[CredentialsWanted, ...] = Field(min_length=1, max_length=200)


class CredentialsAnswer(Part):
    """What a fetch answers of one account.

    Exactly one of the last four is there. `version` is the current one; of a deleted account the
    version that the engine confirms to have let go for.
    """

    id: Id
    version: int | None = None
    sealed: str | None = None
    unchanged: bool | None = None
    deleted: bool | None = None
    refused: Literal["not_bound", "out_of_reach", "account_unknown", "unavailable"] | None = None


class CredentialsFetched(Part):
    """The answer of `POST /v1/credentials`, in the order that was asked in."""

    accounts: tuple[CredentialsAnswer, ...]
