"""Decisions in this process, each as true as on the day it was made, or not there."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from time import monotonic
from typing import NamedTuple

from services.access.queries.changes import Changes, Snapshot
from shared.messaging.members import Listed

TRUSTED_SECONDS = 0.5
"""How long after a look at the database what is remembered is believed."""
_LONGEST_SECONDS = 60.0
"""Whoever has not looked for so long begins anew: changes are not kept for ever."""
_MOST_CHANGED = 10_000


class Question(NamedTuple):
    """May this member do that with the account, or use the extension: one of both is named."""

    member: str
    action: str
    account_id: str | None
    extension: str | None


class Remembered(NamedTuple):
    """A decision as it is answered."""

    body: bytes
    """JSON, with its sentences."""
    allowed: bool
    until: datetime | None
    """From then on it may be another one, though nothing has changed."""


@dataclass(slots=True, eq=False)
class BrandMemory:
    """What is known of a brand as it is since one moment; when anything changes it is let go.

    Whoever reads facts holds on to the one that was there before, and adds what they made of them
    to that one: if it was let go meanwhile, nobody sees it any more.
    """

    name: str
    since: Snapshot
    """The brand has not changed between this and the last look."""
    decisions: dict[Question, Remembered] = field(default_factory=dict[Question, Remembered])
    listed: dict[str, Listed | None] = field(default_factory=dict[str, Listed | None])
    """What the list says of who asked; None where there is no list."""


@dataclass(frozen=True, slots=True)
class View:
    """A brand's memory, and the last look at the database, which it holds for."""

    brand: BrandMemory
    seen: Snapshot
    revision: int
    """At least of this it is: the outbox's last number at the look."""
    settled: int
    """Whoever has drawn a number up to this had ended at the look, so that all they did is seen."""


class Memory:
    """What one process remembers. It asks nobody: it is told what changed, and since when.

    Nothing is returned unless the last look at the database began less than `TRUSTED_SECONDS` ago.
    """

    def __init__(self, most: int, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self.clock = clock
        """In seconds."""
        self._size = 0
        self._brands: dict[str, BrandMemory] = {}
        self._looked_at = float("-inf")
        self._look: Changes | None = None
        self._first: Snapshot | None = None
        self._changed: dict[str, Snapshot] = {}
        """Of brands that changed since the first look, the look that found it last."""
        self._doubted: set[str] = set()
        """Something changed, and no look has begun since that was heard."""
        self._settling: deque[tuple[int, int]] = deque()
        self._settled = 0

    @property
    def seen(self) -> Snapshot | None:
        """The snapshot of the last look; None where the next one is to begin anew."""
        if self.clock() - self._looked_at > _LONGEST_SECONDS:
            self.forget()
        return self._look.snapshot if self._look is not None else None

    @property
    def doubted(self) -> frozenset[str]:
        """Ask it before a look, and tell `confirm`."""
        return frozenset(self._doubted)

    def view(self, brand: str) -> View | None:
        """Return what is known of a brand, or None where nothing is to be believed."""
        look = self._look
        if (
            look is None
            or not self._most
            or brand in self._doubted
            or self.clock() - self._looked_at >= TRUSTED_SECONDS
        ):
            return None
        found = self._brands.get(brand)
        if found is None:
            since = self._changed.get(brand, self._first or look.snapshot)
            found = self._brands[brand] = BrandMemory(brand, since)
        return View(found, look.snapshot, look.revision, self._settled)

    def add(
        self,
        view: View,
        decisions: Mapping[Question, Remembered],
        listed: Mapping[str, Listed | None],
    ) -> None:
        """Remember what was decided by facts of which no change since `view` is known."""
        brand = view.brand
        before = _size_of(brand)
        brand.decisions.update(decisions)
        brand.listed.update(listed)
        if self._brands.get(brand.name) is brand:
            self._size += _size_of(brand) - before
            self._shrink()

    def doubt(self, brands: Iterable[str]) -> None:
        """Believe nothing of these until a look has begun after this."""
        for brand in brands:
            self._doubted.add(brand)
            self._let_go(brand)

    def confirm(self, changes: Changes, *, began: float, doubted: Iterable[str]) -> None:
        """Take over what a look found that began at `began`, when these were doubted."""
        before = self._look
        if before is None or self._first is None:
            self._first = changes.snapshot
        else:
            self._settling.append((before.revision, changes.xid))
        # Who draws a number has a transaction's id already. So whoever had drawn one when the look
        # before was made has a lower id than that look's successor.
        while self._settling and self._settling[0][1] <= changes.snapshot.xmin:
            self._settled = self._settling.popleft()[0]
        for brand in changes.brands:
            self._changed[brand] = changes.snapshot
            self._let_go(brand)
        self._doubted.difference_update(doubted)
        self._look, self._looked_at = changes, began
        if len(self._changed) > _MOST_CHANGED:
            self.forget()

    def forget(self) -> None:
        """Begin anew: a look failed, or came too late to know all that changed."""
        self._brands.clear()
        self._changed.clear()
        self._settling.clear()
        self._size, self._settled = 0, 0
        self._look = self._first = None
        self._looked_at = float("-inf")

    def _let_go(self, brand: str) -> None:
        gone = self._brands.pop(brand, None)
        if gone is not None:
            self._size -= _size_of(gone)

    def _shrink(self) -> None:
        """Let whole brands go, the first remembered first; of the last one what is oldest."""
        while self._size > self._most and len(self._brands) > 1:
            self._let_go(next(iter(self._brands)))
        while self._size > self._most:
            [brand] = self._brands.values()
            for question in [*islice(brand.decisions, self._most // 8 + 1)]:
                del brand.decisions[question]
            self._size = _size_of(brand)
            if not brand.decisions:
                self._let_go(brand.name)


def _size_of(brand: BrandMemory) -> int:
    return len(brand.decisions) + len(brand.listed)
