"""What lists of extensions and of steps have in common: what is asked for, and where pages end."""

from typing import Annotated

from fastapi import Query

from services.catalog.rules.shelf import Place
from shared.http.errors import ApiError
from shared.http.paging import read_after, write_cursor

MOST_LETTERS = 100

Search = Annotated[
    str | None,
    Query(
        max_length=MOST_LETTERS,
        pattern=r"^[^\x00]*$",
        description="Words as one types them: the last may be begun, any may have a letter wrong.",
    ),
]
_LONGEST_RANK = 9


def search_of(text: str | None) -> str | None:
    """Return what is searched for; blanks are no search."""
    return text if text and text.strip() else None


def read_place(after: str | None) -> Place | None:
    """Return where the page before ended, or answer `invalid`."""
    if after is None:
        return None
    rank, name, slug, step = read_after(after, 4)
    if not (rank.isascii() and rank.isdigit() and len(rank) <= _LONGEST_RANK):
        raise ApiError("invalid", "`after` is what `next` of the page before said.")
    return int(rank), name, slug, step


def write_place(place: Place) -> str:
    rank, *name = place
    return write_cursor(str(rank), *name)
