"""Extensions: searched, listed, and one with everything its page needs."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from keyturn_contracts.catalog import ExtensionState, Manifest, Party
from keyturn_contracts.ids import Slug
from pydantic import BaseModel

from services.catalog.api.bodies import ContactBody, Label, StepBody, by_line, label
from services.catalog.api.listing import HasListing
from services.catalog.api.seeing import find_extension, sees_all
from services.catalog.queries import extension as queries
from services.catalog.rules.shelf import Card, card_of
from services.catalog.rules.support import Problem, by_of, route, support_of
from services.catalog.settings import CatalogSettings
from services.catalog.shelving import Shelving
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError


class ListedBody(BaseModel):
    """What a list shows of an extension."""

    slug: str
    name: str
    by_line: str
    publisher: str
    party: Party
    category: str
    description: str
    label: Label | None = None
    version: int
    state: ExtensionState
    installed: bool

    @classmethod
    def of(cls, card: Card, *, is_installed: bool) -> "ListedBody":
        return cls(
            slug=card.slug,
            name=card.name,
            by_line=by_line(card.by),
            publisher=card.publisher,
            party=card.party,
            category=card.category,
            description=card.description,
            label=label(is_preview=card.is_preview),
            version=card.version,
            state=card.state,
            installed=is_installed,
        )


class ExtensionsBody(BaseModel):
    """One page. `next` is what to ask `after` for the page behind it; absent on the last."""

    items: list[ListedBody]
    next: str | None = None


class VersionBody(BaseModel):
    version: int
    published_at: datetime


class ExtensionBody(BaseModel):
    """Everything that an extension's page needs.

    Party, category, domains, permissions, schemes, privacy policy and terms with their versions
    stand in the manifest; what has the basis `unverified` there is to be shown as not confirmed.
    """

    slug: str
    by_line: str
    label: Label | None = None
    state: ExtensionState
    retired_because: str | None = None
    installed: bool
    support: ContactBody
    version: int
    published_at: datetime
    versions: list[VersionBody]
    """The newest first, the last 100."""
    manifest: Manifest


class EditionBody(VersionBody):
    """A version as it was published."""

    published_by: str | None = None
    """For operators; absent where the catalog came with it."""
    manifest: Manifest


class StepsBody(BaseModel):
    items: list[StepBody]


class SupportBody(BaseModel):
    """Whom to turn to, the first one first, and why."""

    problem: Problem
    contacts: list[ContactBody]
    reason: str


_Version = Annotated[int, Path(ge=1, le=10**9)]


def extension_routes(settings: CatalogSettings, shelving: Shelving) -> APIRouter:
    router = APIRouter(prefix="/v1/extensions")

    @router.get("", response_model_exclude_none=True)
    async def list_extensions(
        caller: Caller,
        context: HasContext,
        listing: HasListing,
        *,
        preview: Annotated[bool | None, Query()] = None,
    ) -> ExtensionsBody:
        """List what the brand's licence covers: the best first, or by name without a search."""
        wanted = replace(listing.wanted, is_preview=preview)
        async with brand_connection(context, caller) as connection:
            shelf, sight = await shelving.look(connection, caller.brand, sees_all=sees_all(caller))
        found = shelf.extensions(wanted, sight, listing.after, listing.one_more)
        return ExtensionsBody(
            items=[
                ListedBody.of(card, is_installed=card.slug in sight.installed)
                for _, card in found[: listing.limit]
            ],
            next=listing.next_after([place for place, _ in found]),
        )

    @router.get("/{slug}", response_model_exclude_none=True)
    async def show_extension(slug: Slug, caller: Caller, context: HasContext) -> ExtensionBody:
        async with brand_connection(context, caller) as connection:
            found = await find_extension(connection, caller, slug, settings)
            editions = await queries.load_editions(connection, slug)
        manifest = found.manifest
        return ExtensionBody(
            slug=slug,
            by_line=by_line(by_of(manifest, settings.platform)),
            label=label(is_preview=manifest.preview),
            state=found.state,
            retired_because=found.retired_because,
            installed=found.is_installed,
            support=ContactBody.of(support_of(manifest, settings.support)),
            version=found.version,
            published_at=found.published_at,
            versions=[
                VersionBody(version=one.version, published_at=one.published_at) for one in editions
            ],
            manifest=manifest,
        )

    @router.get("/{slug}/versions/{version}", response_model_exclude_none=True)
    async def show_version(
        slug: Slug, version: _Version, caller: Caller, context: HasContext
    ) -> EditionBody:
        """Show a version of an extension's manifest as it was published."""
        async with brand_connection(context, caller) as connection:
            await find_extension(connection, caller, slug, settings)
            found = await queries.load_edition(connection, slug, version)
        if found is None:
            raise ApiError("not_found", f"{slug} has no version {version}.")
        return EditionBody(
            version=version,
            published_at=found.published_at,
            published_by=found.published_by if sees_all(caller) else None,
            manifest=Manifest.model_validate(found.manifest),
        )

    @router.get("/{slug}/steps", response_model_exclude_none=True)
    async def list_steps(slug: Slug, caller: Caller, context: HasContext) -> StepsBody:
        """List what the extension offers to workflow editors, in its publisher's order."""
        async with brand_connection(context, caller) as connection:
            found = await find_extension(connection, caller, slug, settings)
        card = card_of(
            found.manifest, found.version, found.state, settings.support, settings.platform
        )
        return StepsBody(items=[StepBody.of(card, step) for step in card.steps])

    @router.get("/{slug}/support", response_model_exclude_none=True)
    async def show_support(
        slug: Slug, problem: Problem, caller: Caller, context: HasContext
    ) -> SupportBody:
        """Say whom to turn to with a problem, and why.

        `vendor`: inside the vendor's product, or finding ids and keys there. `workflow`: building
        one. `interface`: errors in the platform's interface while setting the extension up.
        """
        async with brand_connection(context, caller) as connection:
            found = await find_extension(connection, caller, slug, settings)
        routing = route(found.manifest, problem, settings.platform, settings.support)
        return SupportBody(
            problem=problem,
            contacts=[ContactBody.of(one) for one in routing.contacts],
            reason=routing.reason,
        )

    return router
