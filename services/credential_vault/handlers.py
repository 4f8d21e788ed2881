"""The vault on the wire: what it accepts, and the news it listens to."""

from functools import partial

from keyturn_contracts.catalog import ExtensionPublished
from keyturn_contracts.credential_vault import (
    AddAccount,
    DeleteAccount,
    EditAccount,
    EditCredentials,
    VerifyAccount,
)
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
from shared.messaging.handlers import Aggregate, Handlers, Listener
from shared.security.keys import KeyProvider


def accounts_with(keys: KeyProvider) -> Aggregate[Desk]:
    """Return the one aggregate that commands are about; `keys` open and close its secrets."""
    return Aggregate(lock=partial(lock_accounts, keys), save=partial(save_accounts, keys))


def handlers_of(accounts: Aggregate[Desk]) -> Handlers:
    return Handlers(
        accounts.command(AddAccount, decide_addition),
        accounts.command(EditAccount, decide_account_edit),
        accounts.command(EditCredentials, decide_rotation),
        accounts.command(VerifyAccount, decide_verification),
        accounts.command(DeleteAccount, decide_deletion),
        Listener(ExtensionPublished, save_extensions),
        Listener(EngineChanged, save_engines),
        Listener(HoldingChanged, save_holdings),
        Listener(RolloutChanged, save_completions),
    )
