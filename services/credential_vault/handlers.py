"""The vault on the wire: what it accepts, and the news it listens to."""

from functools import partial

from keyturn_contracts.access import GrantChanged, MemberChanged
from keyturn_contracts.catalog import ExtensionChanged, LicenceChanged
from keyturn_contracts.credential_vault import (
    AddAccount,
    DeleteAccount,
    EditAccount,
    EditCredentials,
    VerifyAccount,
)
from keyturn_contracts.installation import InstallationChanged
from keyturn_contracts.workflow import EngineChanged, HoldingChanged, RolloutChanged

from services.credential_vault.rules.account import Desk
from services.credential_vault.rules.adding import decide_addition
from services.credential_vault.rules.deletion import decide_deletion
from services.credential_vault.rules.editing import decide_account_edit, decide_rotation
from services.credential_vault.rules.verifying import decide_verification
from services.credential_vault.store.accounts import lock_accounts, save_accounts
from services.credential_vault.store.copies import (
    save_completions,
    save_engines,
    save_extensions,
    save_holdings,
)
from services.credential_vault.store.entitlements import save_installations, save_licences
from services.credential_vault.store.ownership import save_grants
from shared.messaging.handlers import Aggregate, Handlers, Listener
from shared.messaging.members import save_members
from shared.security.keys import KeyProvider


def accounts_with(keys: KeyProvider, contact: str) -> Aggregate[Desk]:
    """Return the one aggregate that commands are about; `keys` open and close its secrets.

    `contact` is whom a brand turns to about its licence.
    """
    return Aggregate(lock=partial(lock_accounts, keys, contact), save=partial(save_accounts, keys))


def handlers_of(accounts: Aggregate[Desk]) -> Handlers:
    return Handlers(
        accounts.command(AddAccount, decide_addition),
        accounts.command(EditAccount, decide_account_edit),
        accounts.command(EditCredentials, decide_rotation),
        accounts.command(VerifyAccount, decide_verification),
        accounts.command(DeleteAccount, decide_deletion),
        Listener(ExtensionChanged, save_extensions),
        Listener(LicenceChanged, save_licences),
        Listener(InstallationChanged, save_installations),
        Listener(EngineChanged, save_engines),
        Listener(HoldingChanged, save_holdings),
        Listener(RolloutChanged, save_completions),
        Listener(MemberChanged, save_members),
        Listener(GrantChanged, save_grants),
    )
