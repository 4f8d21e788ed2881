"""The workflow service on the wire: what it accepts, and the news it listens to."""

from keyturn_contracts.access import (
    AccessPolicyChanged,
    EnablementChanged,
    GrantChanged,
    MemberChanged,
)
from keyturn_contracts.catalog import LicenceChanged
from keyturn_contracts.credential_vault import AccountChanged, CredentialFetched
from keyturn_contracts.installation import InstallationChanged
from keyturn_contracts.workflow import (
    BeginEpoch,
    ConfirmRotation,
    DeleteWorkflows,
    OverrideRollout,
    RegisterEngine,
    RetireEngine,
    SaveWorkflows,
)

from services.workflow.rules.confirmation import decide_confirmation
from services.workflow.rules.engine import (
    decide_drop,
    decide_epoch,
    decide_registration,
    decide_retirement,
)
from services.workflow.rules.rollout import decide_override
from services.workflow.store.access import (
    save_enablements,
    save_grants,
    save_members,
    save_policies,
)
from services.workflow.store.account import save_accounts, save_receipts
from services.workflow.store.engine import lock_logs, save_logs
from services.workflow.store.entitlement import save_installations, save_licences
from services.workflow.store.record import delete_workflows, give_up_all, save_workflows
from services.workflow.store.rollout import lock_overridable, save_overridden
from shared.messaging.handlers import Aggregate, BulkCommand, Handlers, Listener

logs = Aggregate(lock=lock_logs, save=save_logs)
rollouts = Aggregate(lock=lock_overridable, save=save_overridden)

handlers = Handlers(
    logs.command(RegisterEngine, decide_registration),
    logs.command(RetireEngine, decide_retirement),
    logs.command(BeginEpoch, decide_epoch, drop=decide_drop),
    BulkCommand(SaveWorkflows, save_workflows, drop=give_up_all),
    BulkCommand(DeleteWorkflows, delete_workflows, drop=give_up_all),
    logs.command(ConfirmRotation, decide_confirmation, drop=decide_drop),
    rollouts.command(OverrideRollout, decide_override),
    # Before accounts, which are barred by them.
    Listener(LicenceChanged, save_licences),
    Listener(InstallationChanged, save_installations),
    Listener(MemberChanged, save_members),
    Listener(AccessPolicyChanged, save_policies),
    Listener(EnablementChanged, save_enablements),
    Listener(GrantChanged, save_grants),
    Listener(AccountChanged, save_accounts),
    Listener(CredentialFetched, save_receipts),
)
