"""The access service on the wire: what it accepts, and the news it listens to."""

from keyturn_contracts.access import (
    DisableExtension,
    EnableExtension,
    GrantAccess,
    GrantAccessToAll,
    RegisterMembers,
    RemoveMembers,
    RevokeAccess,
    SetAccessPolicy,
)
from keyturn_contracts.credential_vault import AccountChanged
from keyturn_contracts.installation import InstallationChanged
from keyturn_contracts.workflow import EngineChanged

from services.access.rules.enabling import decide_disabling, decide_enabling
from services.access.rules.granting import decide_grant, decide_grant_to_all
from services.access.rules.policy import decide_policy
from services.access.rules.registering import decide_registration, decide_removal
from services.access.rules.revoking import decide_revocation
from services.access.store.copies import save_accounts, save_installations
from services.access.store.enablements import lock_enablements, save_enablements_of
from services.access.store.engines import save_engines
from services.access.store.grants import lock_grants, save_grants_of
from services.access.store.members import (
    lock_members,
    lock_policies,
    save_members,
    save_policies_of,
)
from shared.messaging.handlers import Aggregate, Handlers, Listener

members = Aggregate(lock=lock_members, save=save_members)
policies = Aggregate(lock=lock_policies, save=save_policies_of)
grants = Aggregate(lock=lock_grants, save=save_grants_of)
enablements = Aggregate(lock=lock_enablements, save=save_enablements_of)

handlers = Handlers(
    # Members before all others: what a batch says of the list holds for the rest of it.
    members.command(RegisterMembers, decide_registration),
    members.command(RemoveMembers, decide_removal),
    policies.command(SetAccessPolicy, decide_policy),
    grants.command(GrantAccess, decide_grant),
    grants.command(GrantAccessToAll, decide_grant_to_all),
    grants.command(RevokeAccess, decide_revocation),
    enablements.command(EnableExtension, decide_enabling),
    enablements.command(DisableExtension, decide_disabling),
    # Accounts before installations, as above.
    Listener(AccountChanged, save_accounts),
    Listener(InstallationChanged, save_installations),
    Listener(EngineChanged, save_engines),
)
