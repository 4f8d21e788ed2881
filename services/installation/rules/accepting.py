"""Installing an extension, and accepting what a newer version asks for: each is a consent."""

from dataclasses import replace
from typing import Literal

from keyturn_contracts.domains import SUFFIX_LIST_VERSION
from keyturn_contracts.installation import (
    AcceptChange,
    AcceptChangeReason,
    ChangeAccepted,
    Consent,
    ExtensionInstalled,
    InstallExtension,
    InstallExtensionReason,
    ReviewChanged,
)

from services.installation.rules.difference import compare, what_changed
from services.installation.rules.entitlement import (
    check_licence,
    installed,
    known_offer,
    refuse_others,
)
from services.installation.rules.installation import (
    Accepted,
    Desk,
    Installation,
    event_about,
    with_hosts,
    with_reach,
)
from services.installation.rules.review import Offer
from shared.decisions import Applied, Decision, Refused, Unchanged
from shared.messaging.envelope import Asked


def decide_installation(
    desk: Desk | None, asked: Asked[InstallExtension]
) -> Decision[Desk, InstallExtensionReason]:
    """Install what exactly was shown. After an uninstallation it begins afresh.

    Of an extension that is installed already, accepting its newest review accepts the change.
    """
    slug, desk = asked.command.extension, _there(desk)
    if refused := refuse_others(asked.actor):
        return refused
    offer = known_offer(desk, slug)
    check_licence(desk, slug)
    if offer.is_first_party:
        return Refused(
            "already_implicit", f"{offer.review.name} comes with your licence: it is there."
        )
    before = desk.installation
    if before is not None and before.state != "uninstalled":
        return _accept_again(desk, before, offer, asked)
    return _begin(desk, offer, asked)


def _begin(
    desk: Desk, offer: Offer, asked: Asked[InstallExtension]
) -> Decision[Desk, InstallExtensionReason]:
    before = desk.installation
    if offer.is_retired:
        return Refused("extension_retired", f"{offer.review.name} is not offered any more.")
    if asked.command.accepts != offer.digest:
        return _stale(desk, offer, asked.command.accepts)
    fresh = Installation(
        extension=offer.review.extension,
        state="installed",
        is_implicit=False,
        in_force=offer.review,
        # Of the effective list of this extension there is one history, whoever installs it.
        domains_revision=before.domains_revision if before is not None else 0,
    )
    return _accept(desk, fresh, offer, asked, ExtensionInstalled)


def decide_acceptance(
    desk: Desk | None, asked: Asked[AcceptChange]
) -> Decision[Desk, AcceptChangeReason]:
    """Let what a newer version asks for be in force, where exactly that was shown."""
    slug, desk = asked.command.extension, _there(desk)
    if refused := refuse_others(asked.actor):
        return refused
    before = installed(desk, slug)
    if isinstance(before, Refused):
        return before
    offer = desk.offer
    if offer is None or not _asks_for_more(before, offer):
        if before.consent is not None and before.consent.digest == asked.command.accepts:
            return Unchanged("Exactly this was accepted already.")
        return Refused("nothing_proposed", f"{before.in_force.name} asks for nothing new.")
    if asked.command.accepts != offer.digest:
        return _stale(desk, offer, asked.command.accepts)
    return _accept(desk, before, offer, asked, ChangeAccepted)


def _there(desk: Desk | None) -> Desk:
    return desk or Desk(installation=None)


def _asks_for_more(installation: Installation, offer: Offer) -> bool:
    return not offer.is_first_party and bool(compare(installation.in_force, offer.review).widens)


def _accept_again(
    desk: Desk, before: Installation, offer: Offer, asked: Asked[InstallExtension]
) -> Decision[Desk, InstallExtensionReason]:
    if before.state == "uninstalling":
        return Refused(
            "uninstalling", f"{offer.review.name} is being uninstalled: wait until that is done."
        )
    if asked.command.accepts != offer.digest:
        if before.consent is not None and before.consent.digest == asked.command.accepts:
            return Unchanged(f"{offer.review.name} is installed already.")
        return _stale(desk, offer, asked.command.accepts)
    if not _asks_for_more(before, offer):
        return Unchanged(f"{offer.review.name} is installed already.")
    return _accept(desk, before, offer, asked, ChangeAccepted)


def _accept(
    desk: Desk,
    before: Installation,
    offer: Offer,
    asked: Asked[InstallExtension] | Asked[AcceptChange],
    kind: type[ExtensionInstalled | ChangeAccepted],
) -> Applied[Desk]:
    review = offer.review
    consent = Consent(
        id=asked.id.id,
        by=asked.actor.subject,
        at=asked.at,
        version=review.version,
        digest=offer.digest,
        privacy_policy=review.privacy_policy,
        terms=review.terms,
        suffix_list=SUFFIX_LIST_VERSION,
    )
    accepted = replace(before, is_implicit=False, in_force=review, consent=consent, proposed=None)
    after = with_reach(with_hosts(accepted, desk.accounts, desk.policy))
    on_record = Accepted(consent=consent, issuer=asked.actor.issuer, review=review)
    return Applied(
        replace(desk, installation=after, accepted=(*desk.accepted, on_record)),
        (event_about(kind, after),),
    )


def _stale(desk: Desk, offer: Offer, accepts: str) -> Refused[Desk, Literal["review_stale"]]:
    shown = desk.reviews.get(accepts)
    changes = (
        what_changed(shown, offer.review)
        if shown is not None
        else ("What was accepted is no review of this extension that was ever shown.",)
    )
    return Refused(
        "review_stale",
        f"The review of {offer.review.name} is another one now: look at it again, and accept that.",
        details=ReviewChanged(digest=offer.digest, changes=changes),
    )
