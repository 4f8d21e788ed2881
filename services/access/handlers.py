"""The access service on the wire: what it accepts, and the news it listens to."""

from keyturn_contracts.credential_vault import AccountChanged
from keyturn_contracts.installation import InstallationChanged

from services.access.store.copies import save_accounts, save_installations
from shared.messaging.handlers import Handlers, Listener

handlers = Handlers(
    Listener(InstallationChanged, save_installations),
    Listener(AccountChanged, save_accounts),
)
