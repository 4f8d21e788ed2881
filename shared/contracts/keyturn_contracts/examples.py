"""One example of every message, as documents and tests show it."""

from datetime import UTC, datetime, timedelta

from keyturn_contracts import access, catalog, credential_vault, installation, probes, workflow
from keyturn_contracts.digest import EMPTY, binding_digest, to_hex
from keyturn_contracts.keys import PublicJwk
from keyturn_contracts.message import Message
from keyturn_contracts.receipt import digest_of_receipt

_ACCOUNT = "01990a5e-7c1e-7b6a-9d55-2f1f6a1c0b11"
_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_RECEIPT = "5f" * 32
_DIGEST = to_hex(binding_digest(_ACCOUNT, "welcome", "send"))
_SEALED = "eyJhbGciOiJFQ0RILUVTK0EyNTZLVyJ9.a2V5.aXY.Y29udGVudA.dGFn"
_SIG = PublicJwk(
    kty="OKP", crv="Ed25519", x="11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", use="sig"
)
_ENC = PublicJwk(
    kty="EC",
    crv="P-256",
    x="f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    y="x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    use="enc",
)
_REACH = workflow.Reach(extensions=("smtp-relay",))
_SETTINGS = {"host": "smtp.example.com", "port": "587", "security": "starttls"}

_MANIFEST = catalog.Manifest(
    slug="loud-mail",
    name="Loud Mail",
    publisher="loud-mail",
    by="Loud Mail Ltd",
    party="third",
    category="email",
    description="Sends mail through the brand's own mail server.",
    preview=True,
    steps=(
        catalog.Step(
            id="send", kind="task", name="Send a mail", description="Sends one mail to one person."
        ),
    ),
    settings=(
        catalog.FieldSpec(name="host", title="Host"),
        catalog.FieldSpec(name="port", title="Port", default="587"),
        catalog.FieldSpec(name="security", title="Security", default="starttls"),
    ),
    schemes=(
        catalog.Scheme(
            id="smtp-password",
            title="User and password",
            fields=(
                catalog.FieldSpec(name="username", title="User"),
                catalog.FieldSpec(name="password", title="Password", secret=True),
            ),
            probe=probes.SmtpProbe(
                host="{host}",
                port="{port}",
                security="{security}",
                username="{username}",
                password="{password}",  # noqa: S106  a template
            ),
        ),
    ),
    domains=(
        catalog.DomainRule(rule="api.loud-mail.example", purpose="templates"),
        catalog.DomainRule(
            rule="{host}:{port}",
            purpose="the brand's mail server",
            slots={"host": "[a-z0-9.-]+", "port": "[0-9]{1,5}"},
        ),
    ),
    additional_domains=catalog.AdditionalDomains(
        allowed=True, why="A brand may link to pictures of its own."
    ),
    permissions=(
        catalog.Permission(data="contacts", purpose="The addresses that mail is sent to."),
    ),
    support=catalog.SupportDetails(
        name="Loud Mail support", email="help@loud-mail.example", hours="Mo to Fr, 9 to 17 CET"
    ),
    privacy_policy=catalog.LegalDocument(url="https://loud-mail.example/privacy", version="3"),
    terms=catalog.LegalDocument(url="https://loud-mail.example/terms", version="2026-01"),
    rotation=catalog.RotationFacts(
        rotation_class="operator_defined", note="The mail server's operator decides."
    ),
)


def _extension(kind: type[catalog.ExtensionChanged], **changes: object) -> Message:
    return kind.model_validate(
        {"manifest": _MANIFEST, "version": 2, "published_at": _NOON} | changes
    )


_CONSENT = installation.Consent(
    id="0199c1a2-6f00-7c3b-8b1e-0c6f2a9d4e51",
    by="ada",
    at=_NOON,
    version=1,
    digest=_DIGEST,
    privacy_policy=_MANIFEST.privacy_policy,
    terms=_MANIFEST.terms,
)
_STARTED = installation.Uninstallation(
    uninstall_id="0199c1a2-7a10-7d22-9f00-5b8e1c2d3f40",
    by="ada",
    reason="We changed to another.",
    started_at=_NOON,
    deadline=_NOON + timedelta(hours=1),
    waiting=installation.PARTICIPANTS,
)


def _installation(kind: type[installation.InstallationChanged], **changes: object) -> Message:
    state: dict[str, object] = {
        "extension": "loud-mail",
        "state": "installed",
        "implicit": False,
        "party": "third",
        "preview": True,
        "version": 1,
        "may_add_domains": True,
        "declared": (
            installation.DeclaredDomain(rule="api.loud-mail.example"),
            installation.DeclaredDomain(
                rule="{host}:{port}", slots={"host": "[a-z0-9.-]+", "port": "[0-9]{1,5}"}
            ),
        ),
        "hosts": (installation.AccountHost(rule="smtp.example.com:587", accounts=1),),
        "domains": ("api.loud-mail.example", "smtp.example.com:587"),
        "domains_revision": 2,
        "permissions": ("contacts",),
        "consent": _CONSENT,
    }
    return kind.model_validate(state | changes)


def _account(kind: type[credential_vault.AccountChanged], **changes: object) -> Message:
    state: dict[str, object] = {
        "account_id": _ACCOUNT,
        "extension": "smtp-relay",
        "scheme": "smtp-password",
        "name": "Newsletter",
        "settings": _SETTINGS,
        "creator": "ada",
        "state": "connected",
        "version": 2,
        "holders": (credential_vault.HolderRef(engine_id="n8n-1"),),
        "unretired": (1,),
        "retire": "PT15M",
    }
    return kind.model_validate(state | changes)


def _engine(kind: type[workflow.EngineChanged], state: str) -> Message:
    return kind.model_validate(
        {
            "engine_id": "n8n-1",
            "name": "n8n in Frankfurt",
            "engine_kind": "confirming",
            "reach": _REACH,
            "sig": _SIG,
            "enc": _ENC,
            "state": state,
            "epoch": 3,
            "number": 41,
            "uses": (workflow.ExtensionUse(extension="smtp-relay", workflows=40, tasks=52),),
        }
    )


def _rollout(kind: type[workflow.RolloutChanged], **changes: object) -> Message:
    state: dict[str, object] = {
        "rollout_id": f"{_ACCOUNT}.2",
        "account_id": _ACCOUNT,
        "version": 2,
        "account_epoch": 1,
        "state": "open",
        "opened_at": _NOON,
        "deadline": _NOON + timedelta(hours=1),
        "legs": 2,
        "done": 1,
        "waiting": (workflow.WaitingLeg(engine_id="n8n-1", why="unconfirmed"),),
    }
    return kind.model_validate(state | changes)


EXAMPLES: tuple[Message, ...] = (
    catalog.PublishExtension(manifest=_MANIFEST),
    catalog.CertifyExtension(extension="loud-mail"),
    catalog.RetireExtension(extension="loud-mail", reason="Its publisher has closed."),
    catalog.SetLicence(extensions=("loud-mail",), plans=("standard",)),
    installation.InstallExtension(extension="loud-mail", accepts=_DIGEST),
    installation.AcceptChange(extension="loud-mail", accepts=_DIGEST),
    installation.AddDomains(
        extension="loud-mail", domains=("pictures.example.com",), reason="Our pictures."
    ),
    installation.RemoveDomains(
        extension="loud-mail", domains=("pictures.example.com",), reason="They moved."
    ),
    installation.UninstallExtension(
        extension="loud-mail", revision=_DIGEST, reason="We changed to another."
    ),
    credential_vault.AddAccount(
        account_id=_ACCOUNT,
        extension="smtp-relay",
        scheme="smtp-password",
        name="Newsletter",
        settings=_SETTINGS,
        sealed=_SEALED,
    ),
    credential_vault.EditAccount(account_id=_ACCOUNT, name="Newsletter (EU)"),
    credential_vault.EditCredentials(
        account_id=_ACCOUNT, sealed=_SEALED, replaces_version=1, retire="when-complete"
    ),
    credential_vault.VerifyAccount(account_id=_ACCOUNT),
    credential_vault.DeleteAccount(account_id=_ACCOUNT),
    workflow.RegisterEngine(
        engine_id="n8n-1",
        name="n8n in Frankfurt",
        engine_kind="confirming",
        reach=_REACH,
        sig=_SIG,
        enc=_ENC,
        proof="eyJhbGciOiJFZDI1NTE5In0.e30.c2ln",
    ),
    workflow.RetireEngine(engine_id="n8n-1", reason="Replaced by n8n-2."),
    workflow.BeginEpoch(engine_id="n8n-1", count=0, digest=EMPTY),
    workflow.SaveWorkflows(
        engine_id="n8n-1",
        workflows=(
            workflow.SavedWorkflow(
                workflow_id="welcome",
                name="Welcome mail",
                owner="ada",
                tasks=(workflow.SavedTask(task_id="send", account_id=_ACCOUNT),),
            ),
        ),
    ),
    workflow.DeleteWorkflows(engine_id="n8n-1", workflow_ids=("farewell",)),
    workflow.ConfirmRotation(
        engine_id="n8n-1",
        account_id=_ACCOUNT,
        version=2,
        holds=True,
        receipt=_RECEIPT,
        count=1,
        digest=_DIGEST,
    ),
    workflow.OverrideRollout(
        rollout_id=f"{_ACCOUNT}.2", engines=("n8n-1",), reason="Switched off for good."
    ),
    access.RegisterMembers(
        members=(
            access.NewMember(member_id="ada", name="Ada", role="administrator"),
            access.NewMember(member_id="bob@example.com"),
        )
    ),
    access.RemoveMembers(members=("bob@example.com",)),
    access.SetAccessPolicy(on_loss="flag"),
    access.GrantAccess(
        account_id=_ACCOUNT, members=("bob@example.com",), until=_NOON + timedelta(days=30)
    ),
    access.GrantAccessToAll(account_id=_ACCOUNT),
    access.RevokeAccess(account_id=_ACCOUNT, members=("bob@example.com",)),
    access.EnableExtension(extension="loud-mail", members=("ada", "bob@example.com")),
    access.DisableExtension(extension="loud-mail", all=True),
    _extension(catalog.ExtensionPublished),
    _extension(
        catalog.ExtensionCertified, manifest=_MANIFEST.model_copy(update={"preview": False})
    ),
    _extension(catalog.ExtensionRetired, state="retired"),
    catalog.LicenceChanged(extensions=("loud-mail", "smtp-relay"), plans=("standard",)),
    _installation(installation.ExtensionInstalled),
    _installation(installation.ExtensionSuspended, state="suspended"),
    _installation(
        installation.ChangeProposed,
        proposed=installation.ProposedChange(
            version=2, digest=_DIGEST, changes=("It may read tickets.",)
        ),
    ),
    _installation(installation.ChangeAccepted, version=2),
    _installation(
        installation.DomainsChanged,
        added=(
            installation.AddedDomain(
                rule="pictures.example.com", by="ada", reason="Our pictures.", at=_NOON
            ),
        ),
        domains=("api.loud-mail.example", "pictures.example.com", "smtp.example.com:587"),
        domains_revision=3,
    ),
    _installation(
        installation.UninstallStarted, state="uninstalling", uninstallation=_STARTED, domains=()
    ),
    _installation(
        installation.UninstallOverdue,
        state="uninstalling",
        domains=(),
        uninstallation=_STARTED.model_copy(update={"waiting": ("workflow",), "overdue": True}),
    ),
    _installation(
        installation.ExtensionUninstalled,
        state="uninstalled",
        domains=(),
        hosts=(),
        uninstallation=_STARTED.model_copy(
            update={"waiting": (), "accounts": 2, "tasks": 7, "completed_at": _NOON}
        ),
    ),
    _account(credential_vault.AccountAdded, version=1, holders=(), unretired=()),
    _account(credential_vault.AccountEdited, name="Newsletter (EU)"),
    _account(
        credential_vault.AccountVerified,
        state="needs_attention",
        reason="The mail server refused the password.",
    ),
    _account(credential_vault.CredentialsRotated),
    _account(credential_vault.CredentialsRetired, unretired=()),
    _account(credential_vault.AccountDeleted, state="deleted", version=3),
    credential_vault.CredentialFetched(
        account_id=_ACCOUNT,
        engine_id="n8n-1",
        version=2,
        receipt_sha256=digest_of_receipt(_RECEIPT),
    ),
    credential_vault.ExtensionCleared(
        extension="loud-mail", uninstall_id=_STARTED.uninstall_id, done=True, accounts=2
    ),
    _engine(workflow.EngineRegistered, "registered"),
    _engine(workflow.EngineRetired, "retired"),
    _engine(workflow.WorkflowsChanged, "registered"),
    workflow.ExtensionCleared(
        extension="loud-mail", uninstall_id=_STARTED.uninstall_id, done=False, tasks=7
    ),
    workflow.AccountBound(engine_id="n8n-1", account_id=_ACCOUNT, bound=True, allowed=True),
    workflow.AccountUnbound(
        engine_id="n8n-1", account_id=_ACCOUNT, bound=True, allowed=False, reason="no_access"
    ),
    _rollout(workflow.RolloutStarted, done=0),
    _rollout(workflow.RolloutProgressed, asked=2),
    _rollout(workflow.RolloutOverdue, state="overdue"),
    _rollout(
        workflow.RolloutCompleted,
        state="completed",
        done=2,
        waiting=(),
        proof_sha256=digest_of_receipt("proof"),
    ),
    _rollout(workflow.RolloutEnded, state="superseded"),
    access.MemberRegistered(member_id="ada", name="Ada", role="administrator", state="registered"),
    access.MemberRemoved(member_id="bob@example.com", role="member", state="removed"),
    access.AccessPolicyChanged(on_loss="flag"),
    access.AccessGranted(
        account_id=_ACCOUNT,
        member=access.EVERYONE,
        level="user",
        state="granted",
        how="granted",
        by="ada",
        since=_NOON,
    ),
    access.AccessRevoked(
        account_id=_ACCOUNT,
        member="bob@example.com",
        level="user",
        state="ended",
        how="granted",
        by="keyturn",
        since=_NOON,
        until=_NOON + timedelta(days=30),
        why_ended="expired",
    ),
    access.ExtensionEnabled(
        extension="loud-mail", member="ada", state="enabled", by="ada", since=_NOON
    ),
    access.ExtensionDisabled(
        extension="loud-mail",
        member=access.EVERYONE,
        state="disabled",
        by="keyturn",
        since=_NOON,
        why_ended="uninstalled",
    ),
    access.ExtensionCleared(
        extension="loud-mail",
        uninstall_id=_STARTED.uninstall_id,
        done=True,
        grants=40,
        enablements=2,
    ),
)
