"""What an installation's key is."""

from keyturn_contracts.installation import AboutInstallation
from keyturn_contracts.message import Key


def key_of(brand: str, extension: str) -> Key:
    return Key(brand, AboutInstallation.kind, extension)
