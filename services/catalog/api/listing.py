"""What lists of extensions and of steps have in common: what is asked for, and where pages end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from keyturn_contracts.catalog import Party
from keyturn_contracts.ids import Slug

from services.catalog.rules.shelf import Place, Wanted
from shared.http.errors import ApiError
from shared.http.paging import After, Limit, read_after, write_cursor

_MOST_LETTERS = 100
_LONGEST_RANK = 9

Search = Annotated[
    str | None,
    Query(
        max_length=_MOST_LETTERS,
        pattern=r"^[^\x00]*$",
        description="Words as one types them: the last may be begun, any may have a letter wrong.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is asked of any of the lists."""

    wanted: Wanted
    after: Place | None
    limit: int

    @property
    def one_more(self) -> int:
        """How many to look for: the one too many says that there is a next page."""
        return self.limit + 1

    def next_after(self, found: Sequence[Place]) -> str | None:
        """Return what to ask `after` for the next page, or None on the last."""
        return _write_place(found[self.limit - 1]) if len(found) > self.limit else None


async def _read_listing(  # not in a thread of its own, where a plain function would run
    *,
    search: Search = None,
    category: Annotated[Slug | None, Query()] = None,
    party: Annotated[Party | None, Query()] = None,
    installed: Annotated[bool | None, Query()] = None,
    after: After = None,
    limit: Limit = 50,
) -> Listing:
    wanted = Wanted(
        search=search if search and search.strip() else None,
        category=category,
        party=party,
        is_installed=installed,
    )
    return Listing(wanted=wanted, after=_read_place(after), limit=limit)


HasListing = Annotated[Listing, Depends(_read_listing)]
"""A route's parameter of this type is what is asked of its list."""


def _read_place(after: str | None) -> Place | None:
    if after is None:
        return None
    rank, name, slug, step = read_after(after, 4)
    if not (rank.isascii() and rank.isdigit() and len(rank) <= _LONGEST_RANK):
        raise ApiError("invalid", "`after` is what `next` of the page before said.")
    return int(rank), name, slug, step


def _write_place(place: Place) -> str:
    rank, *name = place
    return write_cursor(str(rank), *name)
