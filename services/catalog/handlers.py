"""The catalog on the wire: what it accepts, and the news it listens to."""

from functools import partial

from keyturn_contracts.access import MemberChanged
from keyturn_contracts.catalog import (
    CertifyExtension,
    PublishExtension,
    RetireExtension,
    SetLicence,
)
from keyturn_contracts.installation import InstallationChanged

from services.catalog.rules.extension import (
    Platform,
    decide_certification,
    decide_publication,
    decide_retirement,
)
from services.catalog.rules.licence import decide_licence
from services.catalog.store.extension import lock_extensions, save_extensions
from services.catalog.store.installation import save_installations
from services.catalog.store.licence import lock_licences, save_licences
from shared.messaging.handlers import Aggregate, Handlers, Listener
from shared.messaging.members import save_members

extensions = Aggregate(lock=lock_extensions, save=save_extensions)
licences = Aggregate(lock=lock_licences, save=save_licences)


def handlers_of(platform: Platform) -> Handlers:
    return Handlers(
        extensions.command(PublishExtension, partial(decide_publication, platform)),
        extensions.command(CertifyExtension, decide_certification),
        extensions.command(RetireExtension, decide_retirement),
        licences.command(SetLicence, decide_licence),
        Listener(InstallationChanged, save_installations),
        Listener(MemberChanged, save_members),
    )
