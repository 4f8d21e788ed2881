"""What the workflow service's tests begin with: engines with real keys, and what they ask."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TypeVar

from keyturn_contracts.access import (
    AccessGranted,
    AccessPolicyChanged,
    AccessRevoked,
    EnablementChanged,
    ExtensionDisabled,
    ExtensionEnabled,
    GrantChanged,
    MemberChanged,
    MemberRegistered,
    MemberRemoved,
    OnLoss,
)
from keyturn_contracts.actor import Actor, Role, engine_issuer, sign_command
from keyturn_contracts.catalog import LicenceChanged
from keyturn_contracts.credential_vault import (
    AccountChanged,
    CredentialFetched,
    CredentialsRotated,
    HolderRef,
)
from keyturn_contracts.digest import binding_digest, sum_of, to_hex
from keyturn_contracts.ids import new_id
from keyturn_contracts.installation import (
    ExtensionInstalled,
    InstallationChanged,
    Uninstallation,
)
from keyturn_contracts.keys import (
    SigningKey,
    new_engine_sealing_key,
    new_signing_key,
    public_jwk,
)
from keyturn_contracts.message import Command
from keyturn_contracts.receipt import digest_of_receipt
from keyturn_contracts.registration import prove_possession
from keyturn_contracts.topics import commands_topic
from keyturn_contracts.workflow import (
    BeginEpoch,
    ConfirmRotation,
    DeleteWorkflows,
    EngineKind,
    ListPart,
    Reach,
    RegisterEngine,
    SavedTask,
    SavedWorkflow,
    SaveWorkflows,
)

from shared.messaging.envelope import Asked, CommandId, Evidence, News

C = TypeVar("C", bound=Command)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOCAL = new_signing_key()
RECEIPT = "ab" * 32
ADA = "ada"
"""Who created the accounts, and owns them."""
MEMBER: frozenset[Role] = frozenset({"member"})


def utc_now() -> datetime:
    return datetime.now(UTC)


def given_asked(
    command: C,
    *,
    key: SigningKey,
    issuer: str,
    subject: str,
    roles: frozenset[Role] = frozenset(),
    brand: str = "acme",
    at: datetime = NOON,
    epoch: int | None = None,
    number: int | None = None,
) -> Asked[C]:
    """Return a command as the consumer hands it on, with a signature that holds."""
    value, topic = command.to_json(), commands_topic(command.service)
    id_ = CommandId(brand, issuer, new_id(at))
    actor = sign_command(
        key,
        issuer=issuer,
        subject=subject,
        brand=brand,
        roles=roles,
        topic=topic,
        command_id=id_.id,
        message_type=command.type_name(),
        message_subject=command.key(brand).subject,
        value=value,
        now=at,
        epoch=epoch,
        number=number,
    )
    return Asked(
        command,
        id=id_,
        actor=Actor(
            issuer=issuer,
            subject=subject,
            brand=brand,
            roles=roles,
            expires_at=at + timedelta(minutes=10),
        ),
        digest=sha256(str(command.key(brand)).encode() + value).digest(),
        at=at,
        epoch=epoch,
        number=number,
        evidence=Evidence(type=command.type_name(), topic=topic, value=value, actor=actor),
    )


def by_person(
    command: C,
    *,
    subject: str = "root",
    brand: str = "acme",
    roles: frozenset[Role] | None = None,
    at: datetime = NOON,
) -> Asked[C]:
    """Return what an administrator asks, or somebody with other roles."""
    return given_asked(
        command,
        key=LOCAL,
        issuer="local",
        subject=subject,
        roles=frozenset({"administrator"}) if roles is None else roles,
        brand=brand,
        at=at,
    )


class GivenEngine:
    """An engine as the outside sees it: its keys, and its count of what it has sent."""

    def __init__(
        self,
        id_: str = "e1",
        *,
        brand: str = "acme",
        kind: EngineKind = "confirming",
        clock: Callable[[], datetime] = lambda: NOON,
    ) -> None:
        self.clock = clock
        self.id = id_
        self.brand = brand
        self.kind: EngineKind = kind
        self.sig = new_signing_key()
        self.enc = new_engine_sealing_key()
        self.epoch = 0
        self.number = 0

    def registration(self) -> RegisterEngine:
        enc = public_jwk(self.enc, "enc")
        return RegisterEngine(
            engine_id=self.id,
            name=f"Engine {self.id}",
            engine_kind=self.kind,
            lease_seconds=300 if self.kind == "leasing" else None,
            reach=Reach(all=True),
            sig=public_jwk(self.sig, "sig"),
            enc=enc,
            proof=prove_possession(self.sig, brand=self.brand, engine_id=self.id, enc=enc),
        )

    def registered(self) -> Asked[RegisterEngine]:
        return by_person(self.registration(), brand=self.brand, at=self.clock())

    def at(
        self, command: C, epoch: int | None, number: int | None, *, at: datetime | None = None
    ) -> Asked[C]:
        """Return a command with a place of the test's choice."""
        issuer = engine_issuer(self.brand, self.id)
        return given_asked(
            command,
            key=self.sig,
            issuer=issuer,
            subject=issuer,
            brand=self.brand,
            epoch=epoch,
            number=number,
            at=at or self.clock(),
        )

    def next(self, command: C) -> Asked[C]:
        """Return a command in its place."""
        self.number += 1
        return self.at(command, self.epoch, self.number)

    def begin(self, count: int = 0, digest: str = to_hex(0)) -> Asked[BeginEpoch]:
        self.epoch, self.number = self.epoch + 1, 1
        begin = BeginEpoch(engine_id=self.id, count=count, digest=digest)
        return self.at(begin, self.epoch, 1)

    def save(self, *workflows: SavedWorkflow, part: ListPart | None = None) -> Asked[SaveWorkflows]:
        return self.next(SaveWorkflows(engine_id=self.id, workflows=workflows, list=part))

    def delete(self, *workflow_ids: str) -> Asked[DeleteWorkflows]:
        return self.next(DeleteWorkflows(engine_id=self.id, workflow_ids=workflow_ids))

    def confirm(
        self,
        version: int,
        tasks: Mapping[str, tuple[str, ...]] | None = None,
        **changes: object,
    ) -> Asked[ConfirmRotation]:
        """Confirm an account; `tasks` are those of its workflows that use it."""
        return self.next(self.confirmation(version, tasks, **changes))

    def confirmation(
        self,
        version: int,
        tasks: Mapping[str, tuple[str, ...]] | None = None,
        **changes: object,
    ) -> ConfirmRotation:
        account_id = str(changes.get("account_id", "mail"))
        digests = [
            binding_digest(account_id, workflow_id, task_id)
            for workflow_id, named in (tasks or {}).items()
            for task_id in named
        ]
        content: dict[str, object] = {
            "engine_id": self.id,
            "account_id": account_id,
            "version": version,
            "holds": True,
            "receipt": RECEIPT,
            "count": len(digests),
            "digest": to_hex(sum_of(digests)),
        }
        return ConfirmRotation.model_validate(content | changes)


def workflow(
    workflow_id: str, *task_ids: str, owner: str = ADA, account_id: str = "mail"
) -> SavedWorkflow:
    return SavedWorkflow(
        workflow_id=workflow_id,
        name=workflow_id.upper(),
        owner=owner,
        tasks=tuple(SavedTask(task_id=one, account_id=account_id) for one in task_ids),
    )


def account_event(
    account_id: str = "mail",
    version: int = 1,
    *,
    holders: tuple[HolderRef, ...] = (),
    kind: type[AccountChanged] = CredentialsRotated,
    **changes: object,
) -> AccountChanged:
    content: dict[str, object] = {
        "account_id": account_id,
        "extension": "smtp-relay",
        "scheme": "login",
        "name": "Mail",
        "settings": {},
        "creator": ADA,
        "state": "connected",
        "version": version,
        "holders": [one.model_dump() for one in holders],
        "unretired": list(range(1, version)),
        "retire": "PT15M",
    }
    return kind.model_validate(content | changes)


def account_news(
    event: AccountChanged, sequence: int, *, brand: str = "acme", epoch: int = 1
) -> News[AccountChanged]:
    return News(event, brand=brand, epoch=epoch, sequence=sequence, at=NOON)


def licence_news(*extensions: str, sequence: int = 1, brand: str = "acme") -> News[LicenceChanged]:
    """Have the catalog say what a brand may use: `smtp-relay`, unless others are named."""
    event = LicenceChanged(extensions=extensions or ("smtp-relay",))
    return News(event, brand=brand, epoch=1, sequence=sequence, at=NOON)


def installation_news(
    state: str = "installed",
    *,
    sequence: int,
    brand: str = "acme",
    uninstall_id: str | None = None,
    began: datetime | None = None,
    deleted: int | None = None,
    **changes: object,
) -> News[InstallationChanged]:
    """Have the installation service tell of `smtp-relay`, as if a third party had published it.

    `deleted`: how many accounts the vault has deleted for its uninstallation, being done with it.
    """
    content: dict[str, object] = {
        "extension": "smtp-relay",
        "state": state,
        "implicit": False,
        "party": "third",
        "preview": False,
        "version": 1,
        "may_add_domains": False,
        "domains_revision": 1,
        "uninstallation": uninstall_id
        and Uninstallation(
            uninstall_id=uninstall_id,
            by="root",
            reason="Done.",
            started_at=began or utc_now(),
            deadline=utc_now(),
            waiting=("workflow",) if deleted is not None else ("credential-vault", "workflow"),
            accounts=deleted or 0,
        ),
    }
    event = ExtensionInstalled.model_validate(content | changes)
    return News(event, brand=brand, epoch=1, sequence=sequence, at=NOON)


def implicit_news(
    extension: str = "smtp-relay", *, sequence: int = 1, brand: str = "acme"
) -> News[InstallationChanged]:
    """Have the installation service tell of what comes with the licence."""
    return installation_news(
        sequence=sequence, brand=brand, extension=extension, implicit=True, party="first"
    )


def grant_news(
    member: str = ADA,
    account_id: str = "mail",
    *,
    sequence: int = 1,
    brand: str = "acme",
    is_ended: bool = False,
    **changes: object,
) -> News[GrantChanged]:
    """Have access tell what somebody, or everyone (`*`), was given of an account, or lost."""
    content: dict[str, object] = {
        "account_id": account_id,
        "member": member,
        "level": "owner" if member == ADA else "user",
        "state": "ended" if is_ended else "granted",
        "how": "granted",
        "by": ADA,
        "since": NOON,
        "why_ended": "revoked" if is_ended else None,
    }
    kind = AccessRevoked if is_ended else AccessGranted
    event = kind.model_validate(content | changes)
    return News(event, brand=brand, epoch=1, sequence=sequence, at=NOON)


def member_news(
    member: str,
    *,
    sequence: int = 1,
    brand: str = "acme",
    is_removed: bool = False,
    role: str = "member",
) -> News[MemberChanged]:
    content = {
        "member_id": member,
        "role": role,
        "state": "removed" if is_removed else "registered",
    }
    kind = MemberRemoved if is_removed else MemberRegistered
    return News(kind.model_validate(content), brand=brand, epoch=1, sequence=sequence, at=NOON)


def enablement_news(
    member: str = "*",
    extension: str = "smtp-relay",
    *,
    sequence: int = 1,
    brand: str = "acme",
    is_ended: bool = False,
) -> News[EnablementChanged]:
    content = {
        "extension": extension,
        "member": member,
        "state": "disabled" if is_ended else "enabled",
        "by": "root",
        "since": NOON,
    }
    kind = ExtensionDisabled if is_ended else ExtensionEnabled
    return News(kind.model_validate(content), brand=brand, epoch=1, sequence=sequence, at=NOON)


def policy_news(
    on_loss: OnLoss, *, sequence: int = 1, brand: str = "acme"
) -> News[AccessPolicyChanged]:
    event = AccessPolicyChanged(on_loss=on_loss)
    return News(event, brand=brand, epoch=1, sequence=sequence, at=NOON)


def fetched(
    engine_id: str = "e1",
    version: int = 1,
    account_id: str = "mail",
    *,
    sequence: int | None = None,
    brand: str = "acme",
) -> News[CredentialFetched]:
    event = CredentialFetched(
        account_id=account_id,
        engine_id=engine_id,
        version=version,
        receipt_sha256=digest_of_receipt(RECEIPT),
    )
    return News(event, brand=brand, epoch=1, sequence=sequence or version, at=NOON)
