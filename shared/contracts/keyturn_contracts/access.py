"""Messages owned by the access service: who a brand's members are, and who may use what."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from keyturn_contracts.ids import Id, Slug
from keyturn_contracts.installation import Clearance
from keyturn_contracts.message import MAY_GROW, Command, Event, Message, Part

MemberId = Annotated[str, StringConstraints(pattern=r"^[!-)+-.0-~]{1,128}$")]
"""A person or system of a brand, as its issuers name it: the `sub` of what they sign.

Visible ASCII without `/`, which divides keys, and `*`, which stands for everyone."""
EVERYONE = "*"
"""In the place of a member: everyone in the brand."""
MemberOrEveryone = Annotated[str, StringConstraints(pattern=r"^(?:\*|[!-)+-.0-~]{1,128})$")]

MemberRole = Literal["administrator", "member"]
MemberState = Literal["registered", "removed"]
Level = Literal["user", "owner"]
"""A user may use the account in workflows. An owner may also edit, verify, roll back, revoke and
delete it, and decides who has access."""
GrantState = Literal["granted", "ended"]
HowGranted = Annotated[Literal["created", "granted", "handed_over"], MAY_GROW]
"""`created`: to who added the account. `handed_over`: to the brand's administrators, when the last
owner had left or their ownership had run out."""
WhyEnded = Annotated[
    Literal["revoked", "expired", "member_removed", "account_deleted", "uninstalled"], MAY_GROW
]
EnablementState = Literal["enabled", "disabled"]
OnLoss = Literal["suspend", "flag"]
"""What becomes of a task whose workflow's owner loses the account: it is not run, or it is, and is
shown as running without access."""

MAX_NAMED = 5000
"""How many members a command may name."""
MAX_REGISTERED = 2500
"""How many a command may register: names take more room."""

_AboutMembers = Literal["not_an_administrator", "last_administrator"]
_AboutAGrant = Literal["account_unknown", "account_deleted", "not_an_owner"]
_AboutAnEnablement = Literal["not_an_administrator", "not_licensed", "not_installed"]
RegisterMembersReason = Literal["no_administrator", "still_ending", _AboutMembers]
RemoveMembersReason = _AboutMembers
SetAccessPolicyReason = Literal["not_an_administrator"]
GrantAccessReason = Literal["members_refused", "until_passed", "uninstalling", _AboutAGrant]
GrantAccessToAllReason = Literal["owner_not_for_all", "until_passed", "uninstalling", _AboutAGrant]
RevokeAccessReason = Literal["members_refused", _AboutAGrant]
EnableExtensionReason = Literal["members_refused", _AboutAnEnablement]
DisableExtensionReason = Literal["first_party", _AboutAnEnablement]

VerdictReason = Literal["member_unknown", "not_an_administrator", "last_owner"]
"""Why one of the members that a command names was refused."""


class _AboutMembersOfABrand(Message):
    """Base of the messages about a brand's whole list; a brand has one."""

    service: ClassVar = "access"
    kind: ClassVar = "members"

    @property
    def subject_id(self) -> str:
        return ""


class NewMember(Part):
    """A member as they are registered, or as they are from now on."""

    member_id: MemberId
    name: Annotated[str, StringConstraints(max_length=120)] = ""
    role: MemberRole = "member"


class RegisterMembers(_AboutMembersOfABrand, Command):
    """Put members on the brand's list, or change their names and roles.

    While nobody is on it, whom an issuer vouches for counts. From the first on the list holds: who
    is not on it has no rights, so it has to have an administrator (`no_administrator`,
    `last_administrator`).
    """

    reasons: ClassVar = get_args(RegisterMembersReason)

    members: tuple[NewMember, ...] = Field(min_length=1, max_length=MAX_REGISTERED)


class RemoveMembers(_AboutMembersOfABrand, Command):
    """Take members off the list: all their access ends.

    Where they were the last owner of an account, the brand's administrators become its owners.
    """

    reasons: ClassVar = get_args(RemoveMembersReason)

    members: tuple[MemberId, ...] = Field(min_length=1, max_length=MAX_NAMED)


class _AboutThePolicy(Message):
    service: ClassVar = "access"
    kind: ClassVar = "access-policy"

    @property
    def subject_id(self) -> str:
        return ""


class SetAccessPolicy(_AboutThePolicy, Command):
    """Choose what becomes of tasks whose workflows' owners lose an account."""

    reasons: ClassVar = get_args(SetAccessPolicyReason)

    on_loss: OnLoss


class _AboutGrants(Message):
    """Base of the commands about who may use one account; they come in the order of their key."""

    service: ClassVar = "access"
    kind: ClassVar = "grants"

    account_id: Id

    @property
    def subject_id(self) -> str:
        return self.account_id


class GrantAccess(_AboutGrants, Command):
    """Give members access to an account. A verdict for each who was not given it.

    An owner keeps being one: giving them user access changes nothing. Only administrators of the
    brand can become owners.
    """

    reasons: ClassVar = get_args(GrantAccessReason)

    members: tuple[MemberId, ...] = Field(min_length=1, max_length=MAX_NAMED)
    level: Level = "user"
    until: AwareDatetime | None = None
    """When it ends by itself; absent: when somebody revokes it. It replaces what was set before."""


class GrantAccessToAll(_AboutGrants, Command):
    """Give everyone in the brand access, whoever joins later too.

    `level` can be said and has to be `user`: `owner` is refused as `owner_not_for_all`.
    """

    reasons: ClassVar = get_args(GrantAccessToAllReason)

    level: Level = "user"
    until: AwareDatetime | None = None


class _Named(Part):
    """Some members by name, or what was given to everyone at once."""

    members: tuple[MemberId, ...] = Field(default=(), max_length=MAX_NAMED)
    all: bool = False

    @model_validator(mode="after")
    def _names_one_of_both(self) -> "_Named":
        if bool(self.members) == self.all:
            raise ValueError("Name members, or say all: one of both.")
        return self


class RevokeAccess(_AboutGrants, _Named, Command):
    """End members' access, or with `all` what was given to everyone. A verdict for each refused.

    Whom everyone's access covers keeps that. The last owner stays (`last_owner`).
    """

    reasons: ClassVar = get_args(RevokeAccessReason)


class _AboutEnablements(Message):
    service: ClassVar = "access"
    kind: ClassVar = "enablements"

    extension: Slug

    @property
    def subject_id(self) -> str:
        return self.extension


class EnableExtension(_AboutEnablements, _Named, Command):
    """Let members use a third party's extension, or with `all` everyone.

    A first party's is enabled by the licence: that is said, and nothing changes.
    """

    reasons: ClassVar = get_args(EnableExtensionReason)


class DisableExtension(_AboutEnablements, _Named, Command):
    """End that for members, or with `all` what was enabled for everyone at once."""

    reasons: ClassVar = get_args(DisableExtensionReason)


class MemberChanged(Event):
    """Base of the events about a member. One of any kind says that the brand has a list."""

    service: ClassVar = "access"
    kind: ClassVar = "members"

    member_id: MemberId
    name: str = ""
    role: MemberRole
    state: MemberState

    @property
    def subject_id(self) -> str:
        return self.member_id


class MemberRegistered(MemberChanged):
    """They are on the list, or what it says of them is different."""


class MemberRemoved(MemberChanged):
    """They have no rights any more, whatever a grant says."""


class AccessPolicyChanged(_AboutThePolicy, Event):
    """What becomes of tasks without access; before any such event they are suspended."""

    on_loss: OnLoss


class GrantChanged(_AboutGrants, Event):
    """Base of the events about a grant: one account, and one member or everyone."""

    member: MemberOrEveryone
    level: Level
    state: GrantState
    how: HowGranted
    by: str
    """Who gave it; of an ended one who ended it; `keyturn` where nobody did."""
    since: datetime
    until: datetime | None = None
    why_ended: WhyEnded | None = None

    @property
    def subject_id(self) -> str:
        return f"{self.account_id}/{self.member}"


class AccessGranted(GrantChanged):
    """They have access: given, created or handed over; or its level or end is different."""


class AccessRevoked(GrantChanged):
    """They have it no more; `why_ended` says whether somebody did it or what led to it."""


class EnablementChanged(_AboutEnablements, Event):
    """Base of the events about an enablement: one extension, and one member or everyone."""

    member: MemberOrEveryone
    state: EnablementState
    by: str
    since: datetime
    why_ended: WhyEnded | None = None

    @property
    def subject_id(self) -> str:
        return f"{self.extension}/{self.member}"


class ExtensionEnabled(EnablementChanged):
    """They may use the extension."""


class ExtensionDisabled(EnablementChanged):
    """They may not any more."""


class ExtensionCleared(Clearance):
    """Its part of an uninstallation: no grant on its accounts and no enablement is left."""

    service: ClassVar = "access"

    grants: int = Field(ge=0)
    enablements: int = Field(ge=0)
    """How many of each were ended for it."""
