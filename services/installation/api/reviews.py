"""What will be accepted: the review of an extension, before it is installed and afterwards."""

from fastapi import APIRouter
from keyturn_contracts.domains import SUFFIX_LIST_VERSION
from keyturn_contracts.ids import Slug

from services.installation.api.bodies import DifferenceBody, Needed, ReviewBody, note_of
from services.installation.queries import installation as queries
from services.installation.rules.difference import compare
from services.installation.rules.entitlement import not_in_the_licence
from services.installation.rules.installation import Installation
from services.installation.rules.policy import Policy
from services.installation.rules.review import Offer
from services.installation.store.facts import load_licensed, load_offers
from services.installation.store.installations import STATE, read_installation
from services.installation.store.keys import key_of
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError


def review_routes(policy: Policy) -> APIRouter:
    router = APIRouter(prefix="/v1/installations")

    @router.get("/{slug}/review", response_model_exclude_none=True)
    async def show_review(slug: Slug, caller: Caller, context: HasContext) -> ReviewBody:
        """Show all that installing the extension, or accepting its newest version, accepts."""
        async with brand_connection(context, caller) as connection:
            offer = (await load_offers(connection, [slug], policy)).get(slug)
            licensed = await load_licensed(connection, [key_of(caller.brand, slug)])
            row = await queries.load_one(connection, caller.brand, STATE, slug)
        if offer is None:
            raise ApiError("not_found", f"There is no extension {slug}.")
        if not licensed:
            raise ApiError("not_allowed", not_in_the_licence(slug, policy.contact))
        installation = read_installation(row)[1] if row is not None else None
        is_there = installation is not None and installation.state != "uninstalled"
        if offer.is_retired and not is_there:
            raise ApiError("not_found", f"{offer.review.name} is not offered any more.")
        return _body_of(offer, installation)

    return router


def _body_of(offer: Offer, installation: Installation | None) -> ReviewBody:
    is_alive = installation is not None and installation.is_alive
    in_force = installation.in_force if installation is not None and is_alive else None
    changes = compare(in_force, offer.review) if in_force is not None else None
    return ReviewBody(
        digest=offer.digest,
        review=offer.review,
        note=note_of(offer.review.domains),
        needed=_needed(offer, is_alive=is_alive, asks_for_more=bool(changes and changes.widens)),
        retired=offer.is_retired,
        state=installation.state if installation is not None else None,
        version=in_force.version if in_force is not None else None,
        changes=(
            DifferenceBody(widens=[*changes.widens], narrows=[*changes.narrows])
            if changes is not None
            else None
        ),
        suffix_list_version=SUFFIX_LIST_VERSION,
    )


def _needed(offer: Offer, *, is_alive: bool, asks_for_more: bool) -> Needed:
    if offer.is_first_party:
        return "nothing"
    if not is_alive:
        return "install"
    return "accept_change" if asks_for_more else "nothing"
