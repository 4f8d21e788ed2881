"""Who may change an installation, and whether the brand may have the extension at all."""

from typing import Literal

from keyturn_contracts.actor import Actor

from services.installation.rules.installation import Desk, Installation
from services.installation.rules.review import Offer
from shared.decisions import NotYetKnown, Refused

NotAnAdministrator = Refused[Desk, Literal["not_an_administrator"]]


def refuse_others(actor: Actor) -> NotAnAdministrator | None:
    """Return the refusal of whoever is no administrator of the brand."""
    if "administrator" in actor.roles:
        return None
    return Refused(
        "not_an_administrator", "Only an administrator of the brand decides about extensions."
    )


def known_offer(desk: Desk, slug: str) -> Offer:
    """Return what the catalog said of the extension, or wait for it to say something."""
    if desk.offer is None:
        raise NotYetKnown(Refused("extension_unknown", f"There is no extension {slug}."))
    return desk.offer


def check_licence(desk: Desk, slug: str) -> None:
    """Wait for a licence that covers the extension: its news may be on the way."""
    if not desk.is_licensed:
        raise NotYetKnown(Refused("not_licensed", not_in_the_licence(slug, desk.policy.contact)))


def not_in_the_licence(slug: str, contact: str) -> str:
    return f"{slug} is not in your licence; reach out to {contact}."


def installed(desk: Desk, slug: str) -> Installation | Refused[Desk, Literal["not_installed"]]:
    """Return the installation, usable or waiting for its licence.

    Of a first-party extension it is waited for: a job makes it, once the licence's news has come.
    While it is being uninstalled there is nothing to change any more.
    """
    found = desk.installation
    if found is not None and found.is_alive:
        check_licence(desk, slug)
        return found
    refused: Refused[Desk, Literal["not_installed"]] = Refused(
        "not_installed", f"{slug} is not installed in your brand."
    )
    if desk.offer is None or desk.offer.is_first_party:
        raise NotYetKnown(refused)
    return refused
