"""Every message there is, by the type that stands in its header."""

from keyturn_contracts import catalog, credential_vault, installation, workflow
from keyturn_contracts.message import Command, Event

COMMANDS: tuple[type[Command], ...] = (
    catalog.PublishExtension,
    catalog.CertifyExtension,
    catalog.RetireExtension,
    catalog.SetLicence,
    installation.InstallExtension,
    installation.AcceptChange,
    installation.AddDomains,
    installation.RemoveDomains,
    installation.UninstallExtension,
    credential_vault.AddAccount,
    credential_vault.EditAccount,
    credential_vault.EditCredentials,
    credential_vault.VerifyAccount,
    credential_vault.DeleteAccount,
    workflow.RegisterEngine,
    workflow.RetireEngine,
    workflow.BeginEpoch,
    workflow.SaveWorkflows,
    workflow.DeleteWorkflows,
    workflow.ConfirmRotation,
    workflow.OverrideRollout,
)

EVENTS: tuple[type[Event], ...] = (
    catalog.ExtensionPublished,
    catalog.ExtensionCertified,
    catalog.ExtensionRetired,
    catalog.LicenceChanged,
    installation.ExtensionInstalled,
    installation.ExtensionSuspended,
    installation.ChangeProposed,
    installation.ChangeAccepted,
    installation.DomainsChanged,
    installation.UninstallStarted,
    installation.UninstallOverdue,
    installation.ExtensionUninstalled,
    credential_vault.AccountAdded,
    credential_vault.AccountEdited,
    credential_vault.AccountVerified,
    credential_vault.CredentialsRotated,
    credential_vault.CredentialsRetired,
    credential_vault.AccountDeleted,
    credential_vault.CredentialFetched,
    credential_vault.ExtensionCleared,
    workflow.EngineRegistered,
    workflow.EngineRetired,
    workflow.WorkflowsChanged,
    workflow.ExtensionCleared,
    workflow.AccountBound,
    workflow.AccountUnbound,
    workflow.RolloutStarted,
    workflow.RolloutProgressed,
    workflow.RolloutOverdue,
    workflow.RolloutCompleted,
    workflow.RolloutEnded,
)

COMMAND_BY_TYPE: dict[str, type[Command]] = {one.type_name(): one for one in COMMANDS}
EVENT_BY_TYPE: dict[str, type[Event]] = {one.type_name(): one for one in EVENTS}
