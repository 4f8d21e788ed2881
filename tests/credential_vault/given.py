"""What the vault's tests begin with."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TypeVar

from keyturn_contracts.access import AccessGranted, AccessRevoked, GrantChanged, Level
from keyturn_contracts.actor import Actor, Role
from keyturn_contracts.catalog import (
    AdditionalDomains,
    DomainRule,
    ExtensionPublished,
    FieldSpec,
    LicenceChanged,
    Manifest,
    RotationFacts,
    Scheme,
)
from keyturn_contracts.ids import new_id
from keyturn_contracts.installation import (
    AddedDomain,
    DeclaredDomain,
    ExtensionInstalled,
    InstallationChanged,
    Uninstallation,
)
from keyturn_contracts.message import Command
from keyturn_contracts.probes import NothingToProbe, SmtpProbe
from keyturn_contracts.rights import Facts, Grant
from keyturn_contracts.secret import Secret

from services.credential_vault.rules.account import Account, Desk, Unsealed, Version
from services.credential_vault.rules.audit import Who
from services.credential_vault.rules.entitlement import Entitlement
from shared.messaging.envelope import Asked, CommandId, Evidence
from shared.security.secret_fields import SecretFields

C = TypeVar("C", bound=Command)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Who("local", "ada")

HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
PORT = "[1-9][0-9]{0,4}"
SMTP = Manifest(
    slug="smtp-relay",
    name="SMTP Relay",
    publisher="keyturn",
    party="first",
    category="email",
    description="Sends mail through a server of the brand's own.",
    settings=(
        FieldSpec(name="host", title="Host", pattern=HOST),
        FieldSpec(name="port", title="Port", pattern=PORT, default="587"),
        FieldSpec(name="security", title="Security", pattern="starttls|tls", default="starttls"),
        FieldSpec(name="from_address", title="From", required=False),
    ),
    schemes=(
        Scheme(
            id="smtp-password",
            title="User and password",
            fields=(
                FieldSpec(name="username", title="User"),
                FieldSpec(name="password", title="Password", secret=True),
                FieldSpec(name="pin", title="PIN", pattern="[0-9]{4}", required=False),
            ),
            probe=SmtpProbe(
                host="{host}",
                port="{port}",
                security="{security}",
                username="{username}",
                password="{password}",
            ),
        ),
        Scheme(
            id="signing-secret",
            title="A secret that the other side uses towards us",
            fields=(FieldSpec(name="secret", title="Secret", secret=True),),
            probe=NothingToProbe(),
        ),
    ),
    domains=(DomainRule(rule="{host}:{port}", purpose="mail", slots={"host": HOST, "port": PORT}),),
    rotation=RotationFacts(rotation_class="operator_defined", note=""),
)
PUBLISHED = ExtensionPublished(manifest=SMTP, version=1)
PAGER = SMTP.model_copy(
    update={
        "slug": "pager",
        "name": "Pager",
        "publisher": "example-soft",
        "party": "third",
        "additional_domains": AdditionalDomains(allowed=True, why="Gateways differ."),
    }
)
"""A third party's extension, which is connected to in the same way."""
LICENSED = LicenceChanged(extensions=("smtp-relay", "pager"))
ENTITLED = Entitlement(party="first", is_licensed=True)
SETTINGS = {"host": "mail.example.com"}
COMPLETE = {"host": "mail.example.com", "port": "587", "security": "starttls"}


def fields(password: str = "hunter2", **more: str) -> SecretFields:  # noqa: S107  a test's password
    given = {"username": "keyturn", "password": password, **more}
    return SecretFields({name: Secret(value) for name, value in given.items()})


def asked(
    command: C,
    *,
    by: str = "ada",
    brand: str = "acme",
    roles: frozenset[Role] = frozenset({"administrator"}),
    at: datetime = NOW,
    command_id: str | None = None,
) -> Asked[C]:
    """Return a command as the consumer hands it to a rule."""
    return Asked(
        command=command,
        id=CommandId(brand, "local", command_id or new_id()),
        actor=Actor(
            issuer="local",
            subject=by,
            brand=brand,
            roles=roles,
            expires_at=at + timedelta(minutes=5),
        ),
        digest=sha256(command.to_json()).digest(),
        at=at,
        epoch=None,
        number=None,
        evidence=Evidence(type=command.type_name(), topic="", value=command.to_json(), actor=""),
    )


def version(number: int = 3, status: str = "current", **changes: object) -> Version:
    plain = Version(
        number=number,
        status="current",
        scheme="smtp-password",
        settings=COMPLETE,
        created_at=NOW - timedelta(days=1),
        created_by=ADA,
        promoted_at=NOW - timedelta(days=1),
    )
    return replace(plain, status=status, **changes)


def account(*versions: Version, **changes: object) -> Account:
    """Return a connected account whose current version is 3, unless told otherwise."""
    plain = Account(
        id="mail",
        extension="smtp-relay",
        name="Mail",
        creator="ada",
        retire="PT15M",
        state="connected",
        version=3,
        last_number=3,
        scheme="smtp-password",
        settings=COMPLETE,
        versions=versions or (version(),),
    )
    return replace(plain, **changes)


def desk(on_it: Account | None, unsealed: Mapping[CommandId, Unsealed] | None = None) -> Desk:
    """Return a desk with an account that Ada owns."""
    return Desk(
        account=on_it,
        loaded=on_it,
        extensions={"smtp-relay": PUBLISHED},
        entitlements={"smtp-relay": ENTITLED},
        facts=Facts(grants={on_it.id: {"ada": Grant("owner")}}) if on_it is not None else Facts(),
        owners=("ada",) if on_it is not None else (),
        unsealed=unsealed or {},
    )


def desk_for(
    on_it: Account | None, command: Asked[Command], unsealed: Unsealed | None = None
) -> Desk:
    """Return a desk on which this command's credentials have been opened."""
    return desk(on_it, {command.id: unsealed if unsealed is not None else fields()})


def installation(
    kind: type[InstallationChanged] = ExtensionInstalled,
    *,
    extension: str = "pager",
    uninstall_id: str | None = None,
    declared: tuple[DomainRule, ...] | None = None,
    derived: dict[str, tuple[str, ...]] | None = None,
    defaults: dict[str, str] | None = None,
    added: tuple[str, ...] = (),
    **changes: object,
) -> InstallationChanged:
    """Return news of an installation; with `uninstall_id`, of one that is being uninstalled.

    In force are the pager's domains and its default, or those that are given.
    """
    content: dict[str, object] = {
        "extension": extension,
        "state": "installed" if uninstall_id is None else "uninstalling",
        "implicit": False,
        "party": "third",
        "preview": False,
        "version": 1,
        "may_add_domains": True,
        "declared": tuple(
            DeclaredDomain(
                rule=one.rule,
                slots=one.slots,
                is_wide=one.wide_because is not None,
                derived=derived or {},
                defaults={"port": "587"} if defaults is None else defaults,
            )
            for one in (PAGER.domains if declared is None else declared)
        ),
        "added": tuple(AddedDomain(rule=one, by="ada", reason="Ours.", at=NOW) for one in added),
        "domains_revision": 1,
        "uninstallation": None
        if uninstall_id is None
        else Uninstallation(
            uninstall_id=uninstall_id, by="ada", reason="Done.", started_at=NOW, deadline=NOW
        ),
    }
    return kind.model_validate(content | changes)


def granted(
    account_id: str = "mail",
    member: str = "ada",
    level: Level = "owner",
    *,
    until: datetime | None = None,
    is_ended: bool = False,
) -> GrantChanged:
    """Return news of what a member has of an account."""
    kind = AccessRevoked if is_ended else AccessGranted
    return kind(
        account_id=account_id,
        member=member,
        level=level,
        state="ended" if is_ended else "granted",
        how="granted",
        by="root",
        since=NOW,
        until=until,
        why_ended="revoked" if is_ended else None,
    )
