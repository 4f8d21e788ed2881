"""Whether a brand may use an extension: licensed, and a third party's installed as well.

And how it may use it: of a third party's as somebody accepted it.
"""

from dataclasses import dataclass
from typing import Literal, Never

from keyturn_contracts.catalog import DomainRule, ExtensionChanged, Manifest, Party
from keyturn_contracts.installation import InstallationState

from services.credential_vault.rules.filling import Filling, filled_by
from shared.decisions import NotYetKnown, Refused

NotEntitled = Literal["not_licensed", "not_installed"]

NOT_ACCEPTED = (
    "Nothing was tried: a newer version of the extension fills in addresses in another way, and an "
    "administrator has to accept it first."
)
"""Said where `in_force` is None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """What other services said of one brand and one extension: nothing, at first."""

    party: Party | None = None
    is_licensed: bool = False
    state: InstallationState | None = None
    version: int | None = None
    """Of the manifest that is in force, of what is installed."""
    declared: tuple[DomainRule, ...] = ()
    """The domains of its manifest that are in force: what was accepted, and not what is newer."""
    added: tuple[str, ...] = ()
    """The domains that the brand added, where it may. Of what is installed alone, as `declared`."""
    filling: Filling | None = None
    """What fills the slots of `declared`, as it was accepted; None where it was not told."""


NOTHING = Entitlement()


def in_force(extension: ExtensionChanged, one: Entitlement) -> Manifest | None:
    """Return the newest manifest, its slots filled as was accepted; None where that is not known.

    A third party's newer one may fill the slots of a domain that was accepted in other ways: until
    somebody has accepted that too, nothing is sent to what it makes of them.
    """
    manifest = extension.manifest
    if manifest.party == "first":
        return manifest
    if one.filling is not None:
        return filled_by(manifest, one.filling)
    has_slots = any(domain.slots for domain in one.declared)
    return manifest if one.version == extension.version or not has_slots else None


def why_not(one: Entitlement) -> NotEntitled | None:
    """Return why a brand may not use an extension, or None where it may. What is unknown may not.

    A first party's installation comes with the licence, so the licence alone decides. A licence
    that is back counts for a third party's extension once its installation says so too.
    """
    if not one.is_licensed:
        return "not_licensed"
    if one.party == "first" or one.state == "installed":
        return None
    return "not_licensed" if one.state == "suspended" else "not_installed"


def refuse_use(slug: str, one: Entitlement, contact: str) -> Refused[Never, NotEntitled] | None:
    """Return the refusal of a command that uses the extension, or None where the brand may.

    News of a licence or an installation that would allow it may be on the way, so the command is
    held for it, a moment. Nothing can allow it while the extension is being uninstalled.
    """
    reason = why_not(one)
    if reason is None:
        return None
    refused: Refused[Never, NotEntitled] = Refused(reason, explain(slug, reason, contact))
    if one.state == "uninstalling":
        return refused
    raise NotYetKnown(refused)


def explain(slug: str, reason: NotEntitled, contact: str) -> str:
    if reason == "not_licensed":
        return f"{slug} is not in your licence; reach out to {contact}."
    return f"{slug} is not installed in your brand: an administrator installs it first."
