"""What the catalog answers over HTTP."""

from typing import Literal

from fastapi import APIRouter
from keyturn_contracts.catalog import Manifest
from keyturn_contracts.ids import Slug
from pydantic import BaseModel

from services.catalog import queries
from services.catalog.rules.extension import Extension
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError

router = APIRouter(prefix="/v1")


class ExtensionBody(BaseModel):
    """An extension as it is published: its whole manifest, and the version of it."""

    manifest: Manifest
    version: int
    state: Literal["published"] = "published"

    @classmethod
    def of(cls, extension: Extension) -> "ExtensionBody":
        return cls(manifest=extension.manifest, version=extension.version)


class ExtensionsBody(BaseModel):
    """Every extension, in the order of slugs."""

    extensions: list[ExtensionBody]


@router.get("/extensions", response_model_exclude_none=True)
async def list_extensions(caller: Caller, context: HasContext) -> ExtensionsBody:
    async with brand_connection(context, caller) as connection:
        found = await queries.load_extensions(connection)
    return ExtensionsBody(extensions=[ExtensionBody.of(one) for one in found])


@router.get("/extensions/{slug}", response_model_exclude_none=True)
async def show_extension(slug: Slug, caller: Caller, context: HasContext) -> ExtensionBody:
    async with brand_connection(context, caller) as connection:
        found = await queries.load_extension(connection, slug)
    if found is None:
        raise ApiError("not_found", "There is no such extension. GET /v1/extensions lists them.")
    return ExtensionBody.of(found)
