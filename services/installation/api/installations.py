"""What a brand has installed: the list, one of them, what it may reach, what its end touches."""

from typing import Annotated

from fastapi import APIRouter, Query
from keyturn_contracts.actor import Actor
from keyturn_contracts.domains import SUFFIX_LIST_VERSION
from keyturn_contracts.ids import Slug
from keyturn_contracts.installation import InstallationState
from sqlalchemy.ext.asyncio import AsyncConnection

from services.installation.api.bodies import (
    DomainChangeBody,
    DomainsBody,
    InstallationsBody,
    WholeInstallationBody,
    body_of,
    domain_bodies,
    note_of,
    whole_body_of,
)
from services.installation.queries import installation as queries
from services.installation.rules.impact import Impact, revision_of
from services.installation.rules.installation import Installation
from services.installation.rules.uninstalling import impact_of
from services.installation.store.impact import load_impacts
from services.installation.store.installations import STATE, read_installation
from services.installation.store.keys import key_of
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError
from shared.http.paging import After, Limit, read_after, write_cursor

router = APIRouter(prefix="/v1/installations")


class ImpactBody(Impact):
    """What an uninstallation touches now, and the revision that its command carries."""

    revision: str
    note: str
    """What becomes of it all."""


_WHAT_BECOMES_OF_IT = (
    "All access to the extension ends for everybody, its accounts are deleted, each with a rollout "
    "that says when nobody holds its credentials any more, and the tasks that use it are suspended."
)


@router.get("", response_model_exclude_none=True)
async def list_installations(
    caller: Caller,
    context: HasContext,
    *,
    state: Annotated[InstallationState | None, Query()] = None,
    after: After = None,
    limit: Limit = 50,
) -> InstallationsBody:
    """List what the brand has, in the order of slugs; `state=uninstalled` lists what it had."""
    [place] = read_after(after, 1)
    async with brand_connection(context, caller) as connection:
        rows = await queries.load_page(
            connection, caller.brand, STATE, state=state, after=place, limit=limit + 1
        )
    items = [body_of(read_installation(row)[1]) for row in rows[:limit]]
    return InstallationsBody(
        items=items, next=write_cursor(items[-1].extension) if len(rows) > limit else None
    )


@router.get("/{slug}", response_model_exclude_none=True)
async def show_installation(
    slug: Slug, caller: Caller, context: HasContext
) -> WholeInstallationBody:
    """Show all of an installation, with every consent to it; also of one that was uninstalled."""
    async with brand_connection(context, caller) as connection:
        found = await find_installation(connection, caller, slug)
        consents = await queries.load_consents(connection, caller.brand, slug)
    return whole_body_of(found, consents)


@router.get("/{slug}/domains", response_model_exclude_none=True)
async def show_domains(slug: Slug, caller: Caller, context: HasContext) -> DomainsBody:
    """Show exactly what the extension may reach, and of each rule where it is from."""
    async with brand_connection(context, caller) as connection:
        found = await find_installation(connection, caller, slug)
        changes = await queries.load_changes(connection, caller.brand, slug)
    return DomainsBody(
        extension=slug,
        state=found.state,
        domains=[*found.domains],
        revision=found.domains_revision,
        note=note_of(found.domains),
        may_add_domains=found.in_force.may_add_domains,
        suffix_list_version=SUFFIX_LIST_VERSION,
        list=domain_bodies(found),
        hosts_left_out=found.hosts_left_out,
        changes=[DomainChangeBody.model_validate(row, from_attributes=True) for row in changes],
    )


@router.get("/{slug}/impact", response_model_exclude_none=True)
async def show_impact(slug: Slug, caller: Caller, context: HasContext) -> ImpactBody:
    """Show what uninstalling the extension would touch now; the command carries its revision."""
    if "administrator" not in caller.roles:
        raise ApiError("not_allowed", "Only an administrator of the brand uninstalls extensions.")
    key = key_of(caller.brand, slug)
    async with brand_connection(context, caller) as connection:
        found = await find_installation(connection, caller, slug)
        if not found.is_alive:
            raise ApiError("not_found", f"{slug} is not installed in your brand any more.")
        if found.is_implicit:
            raise ApiError(
                "conflict",
                f"{found.in_force.name} comes with your licence: it cannot be uninstalled.",
            )
        impact = impact_of(found, (await load_impacts(connection, [key]))[key])
    return ImpactBody(**impact.model_dump(), revision=revision_of(impact), note=_WHAT_BECOMES_OF_IT)


async def find_installation(connection: AsyncConnection, caller: Actor, slug: str) -> Installation:
    row = await queries.load_one(connection, caller.brand, STATE, slug)
    if row is None:
        raise ApiError("not_found", f"{slug} is not installed in your brand.")
    return read_installation(row)[1]
