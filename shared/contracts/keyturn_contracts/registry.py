"""Every message there is, by the type that stands in its header."""

from keyturn_contracts import catalog, credential_vault, workflow
from keyturn_contracts.message import Command, Event

COMMANDS: tuple[type[Command], ...] = (
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
    credential_vault.AccountAdded,
    credential_vault.AccountEdited,
    credential_vault.AccountVerified,
    credential_vault.CredentialsRotated,
    credential_vault.CredentialsRetired,
    credential_vault.AccountDeleted,
    credential_vault.CredentialFetched,
    workflow.EngineRegistered,
    workflow.EngineRetired,
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
