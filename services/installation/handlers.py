"""The installation service on the wire: what it accepts, and the news it listens to."""

from functools import partial

from keyturn_contracts import access, credential_vault, workflow
from keyturn_contracts.catalog import ExtensionChanged, LicenceChanged
from keyturn_contracts.credential_vault import AccountChanged
from keyturn_contracts.installation import (
    AcceptChange,
    AddDomains,
    InstallExtension,
    RemoveDomains,
    UninstallExtension,
)
from keyturn_contracts.workflow import EngineChanged

from services.installation.rules.accepting import decide_acceptance, decide_installation
from services.installation.rules.domain_list import decide_addition, decide_removal
from services.installation.rules.policy import Policy
from services.installation.rules.uninstalling import decide_uninstallation
from services.installation.store.copies import (
    save_access_clearances,
    save_accounts,
    save_engines,
    save_extensions,
    save_licences,
    save_vault_clearances,
    save_workflow_clearances,
)
from services.installation.store.installations import lock_desks, save_desks
from shared.messaging.handlers import Aggregate, Handlers, Listener
from shared.messaging.members import save_members


def handlers_with(policy: Policy) -> Handlers:
    installations = Aggregate(lock=partial(lock_desks, policy), save=save_desks)
    return Handlers(
        installations.command(InstallExtension, decide_installation),
        installations.command(AcceptChange, decide_acceptance),
        installations.command(AddDomains, decide_addition),
        installations.command(RemoveDomains, decide_removal),
        installations.command(UninstallExtension, decide_uninstallation),
        Listener(ExtensionChanged, partial(save_extensions, policy)),
        Listener(LicenceChanged, save_licences),
        Listener(AccountChanged, save_accounts),
        Listener(EngineChanged, save_engines),
        Listener(credential_vault.ExtensionCleared, save_vault_clearances),
        Listener(workflow.ExtensionCleared, save_workflow_clearances),
        Listener(access.MemberChanged, save_members),
        Listener(access.ExtensionCleared, save_access_clearances),
    )
