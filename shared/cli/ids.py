"""Ids as arguments: what could never be one is told before anything is asked."""

from typing import Annotated

import typer
from keyturn_contracts.ids import Id, RolloutId, Slug
from pydantic import TypeAdapter, ValidationError

_ID: TypeAdapter[str] = TypeAdapter(Id)
_ROLLOUT: TypeAdapter[str] = TypeAdapter(RolloutId)
_SLUG: TypeAdapter[str] = TypeAdapter(Slug)


def _read_id(text: str) -> str:
    try:
        return _ID.validate_python(text)
    except ValidationError:
        raise typer.BadParameter(
            "an id has 1 to 128 of A-Z a-z 0-9 _ - : @ and nothing else."
        ) from None


def _read_rollout(text: str) -> str:
    try:
        return _ROLLOUT.validate_python(text)
    except ValidationError:
        raise typer.BadParameter(
            "a rollout's id is <account>.<version>, for example mail.2."
        ) from None


def _read_slug(text: str) -> str:
    try:
        return _SLUG.validate_python(text)
    except ValidationError:
        raise typer.BadParameter(
            "an extension's slug has small letters, digits and dashes: smtp-relay."
        ) from None


AccountId = Annotated[
    str, typer.Argument(parser=_read_id, metavar="ACCOUNT", help="The account's id.")
]
EngineId = Annotated[
    str, typer.Argument(parser=_read_id, metavar="ENGINE", help="The engine's id.")
]
CommandId = Annotated[
    str, typer.Argument(parser=_read_id, metavar="COMMAND", help="The command's id.")
]
RolloutIdArgument = Annotated[
    str,
    typer.Argument(parser=_read_rollout, metavar="ROLLOUT", help="<account>.<version>"),
]
ExtensionArgument = Annotated[
    str, typer.Argument(parser=_read_slug, metavar="EXTENSION", help="The extension's slug.")
]
OfAccount = Annotated[
    str | None,
    typer.Option("--account", parser=_read_id, metavar="ACCOUNT", help="Of this account."),
]
OfEngine = Annotated[
    str | None, typer.Option("--engine", parser=_read_id, metavar="ENGINE", help="Of this engine.")
]
OfExtension = Annotated[
    str | None,
    typer.Option("--extension", parser=_read_slug, metavar="EXTENSION", help="Of this extension."),
]
