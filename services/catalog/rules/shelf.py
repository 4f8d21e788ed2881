"""What is published, in memory: what a brand sees of it, searched, filtered, in order."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from keyturn_contracts.catalog import ExtensionState, Manifest, Party, Step, SupportDetails

from services.catalog.rules.search import Index
from services.catalog.rules.support import Contact, by_of, support_of

D = TypeVar("D", bound=Hashable)

StepId = tuple[str, str]
"""An extension's slug and the id of one of its steps."""
Place = tuple[int, str, str, str]
"""Where something stands in a list: its rank, its name, the extension's slug, the step's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What lists show of an extension."""

    slug: str
    name: str
    publisher: str
    by: str
    party: Party
    category: str
    description: str
    is_preview: bool
    support: Contact
    steps: tuple[Step, ...]
    version: int
    state: ExtensionState


def card_of(
    manifest: Manifest, version: int, state: ExtensionState, platform: SupportDetails, name: str
) -> Card:
    """Return the card of an extension; `platform` and `name` are the platform's own."""
    return Card(
        slug=manifest.slug,
        name=manifest.name,
        publisher=manifest.publisher,
        by=by_of(manifest, name),
        party=manifest.party,
        category=manifest.category,
        description=manifest.description,
        is_preview=manifest.preview,
        support=support_of(manifest, platform),
        steps=manifest.steps,
        version=version,
        state=state,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What somebody sees: what their brand's licence covers, an operator everything."""

    covers: frozenset[str] | None
    """None: everything."""
    installed: frozenset[str]
    """What the brand has installed: what is retired is shown to no other."""

    def sees(self, slug: str, state: ExtensionState) -> bool:
        if self.covers is None:
            return True
        return slug in self.covers and (state == "published" or slug in self.installed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which extensions, or which steps; what is None does not matter."""

    search: str | None = None
    category: str | None = None
    party: Party | None = None
    is_preview: bool | None = None
    is_installed: bool | None = None
    kind: Literal["event", "task"] | None = None
    """Of steps."""

    def takes(self, card: Card, sight: Sight) -> bool:
        """Tell whether an extension, or its steps, may be among them; search and kind apart."""
        return (
            sight.sees(card.slug, card.state)
            and (self.category is None or self.category == card.category)
            and (self.party is None or self.party == card.party)
            and (self.is_preview is None or self.is_preview == card.is_preview)
            and (self.is_installed is None or self.is_installed == (card.slug in sight.installed))
        )


class Shelf:
    """Holds the newest of every extension."""

    def __init__(self) -> None:
        self._cards: dict[str, Card] = {}
        self._steps: dict[StepId, Step] = {}
        self._extensions_in_order = _Ordered[str]()
        self._steps_in_order = _Ordered[StepId]()

    def put(self, card: Card) -> None:
        """Show an extension as it is now."""
        if card.slug in self._cards:
            for step_id in {one.id for one in self._cards[card.slug].steps}:
                self._steps_in_order.drop((card.slug, step_id))
                del self._steps[card.slug, step_id]
        self._cards[card.slug] = card
        labels = (card.by, card.publisher, card.category, card.slug)
        self._extensions_in_order.put(
            card.slug, (card.name, card.slug, ""), labels, card.description
        )
        for step in card.steps:
            self._steps[card.slug, step.id] = step
            self._steps_in_order.put(
                (card.slug, step.id),
                (step.name, card.slug, step.id),
                (card.name, *labels),
                step.description,
            )

    def extensions(
        self, wanted: Wanted, sight: Sight, after: Place | None, limit: int
    ) -> list[tuple[Place, Card]]:
        """Return extensions behind `after`: the best first, or by name where nobody searches."""
        found = self._extensions_in_order.page(
            wanted.search,
            lambda slug: wanted.takes(self._cards[slug], sight),
            after,
            limit,
            among=sight.covers,
        )
        return [(place, self._cards[slug]) for place, slug in found]

    def steps(
        self, wanted: Wanted, sight: Sight, after: Place | None, limit: int
    ) -> list[tuple[Place, Card, Step]]:
        """Return steps likewise."""

        def is_wanted(step: StepId) -> bool:
            is_kind = wanted.kind is None or wanted.kind == self._steps[step].kind
            return is_kind and wanted.takes(self._cards[step[0]], sight)

        found = self._steps_in_order.page(wanted.search, is_wanted, after, limit)
        return [(place, self._cards[step[0]], self._steps[step]) for place, step in found]


class _Ordered(Generic[D]):
    """Things in the order of their names, and found by words."""

    def __init__(self) -> None:
        self._index = Index[D]()
        self._names: dict[D, tuple[str, str, str]] = {}
        self._sorted: list[tuple[tuple[str, str, str], D]] | None = []
        """None when something has come or gone since."""
        self._number: dict[D, int] = {}

    def put(self, thing: D, name: tuple[str, str, str], labels: Iterable[str], text: str) -> None:
        """Show it by this name, a title and what makes it unique, and have it found."""
        title, slug, step = name
        self._names[thing] = (title.casefold(), slug, step)
        self._index.put(thing, name=title, labels=labels, texts=(text,))
        self._sorted = None

    def drop(self, thing: D) -> None:
        self._index.drop(thing)
        del self._names[thing]
        self._sorted = None

    def page(
        self,
        search: str | None,
        is_wanted: Callable[[D], bool],
        after: Place | None,
        limit: int,
        *,
        among: Collection[D] | None = None,
    ) -> list[tuple[Place, D]]:
        """Return what is wanted and stands behind `after`; `among` leaves the rest out at once."""
        in_order = self._in_order()
        first = self._first(after)
        numbers = range(first, len(in_order))
        if search is not None:
            numbers = sorted(self._found(search, among))
            numbers = numbers[bisect_left(numbers, first) :]
        page: list[tuple[Place, D]] = []
        for number in numbers:
            rank, place = divmod(number, len(in_order))
            name, thing = in_order[place]
            if is_wanted(thing):
                page.append(((rank, *name), thing))
                if len(page) == limit:
                    break
        return page

    def _found(self, search: str, among: Collection[D] | None) -> list[int]:
        """Return a number for each: it stands for rank and name, and sorts faster than both."""
        ranks = self._index.find(search)
        number, size = self._number, len(self._number)
        if among is None:
            return [rank * size + number[one] for one, rank in ranks.items()]
        return [rank * size + number[one] for one, rank in ranks.items() if one in among]

    def _first(self, after: Place | None) -> int:
        if after is None:
            return 0
        rank, *name = after
        in_order = self._in_order()
        return rank * len(in_order) + bisect_right(in_order, tuple(name), key=_name_of)

    def _in_order(self) -> list[tuple[tuple[str, str, str], D]]:
        if self._sorted is None:
            self._sorted = sorted(
                ((name, thing) for thing, name in self._names.items()), key=_name_of
            )
            self._number = {thing: number for number, (_, thing) in enumerate(self._sorted)}
        return self._sorted


def _name_of(one: tuple[tuple[str, ...], object]) -> tuple[str, ...]:
    return one[0]
