"""Ends what was given before a brand's list began to who has not come onto it in its time.

Nothing says which command of a list is its last. Its crash points: `access.before_gathered` and
`access.after_gathered` around the commit of each pass that did anything.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.access.jobs.ending import end_what_they_have
from services.access.rules.ending import brands_of, share_of
from services.access.store.brands import lock_brands
from services.access.store.gathering import (
    FIRST,
    Given,
    Place,
    end_gathering,
    find_gathered,
    load_enablements_after,
    load_grants_after,
)
from services.access.store.people import Person
from shared.messaging.crash import crash_point


class NeverListed:
    """The job: it goes through what these brands have given, and through all of it once.

    It remembers where it is. Before that nothing is left, and nothing comes to be: nobody is given
    anything who is not on a list that has begun. Who does not know, as a process that has just
    started, reads from the beginning.
    """

    def __init__(self) -> None:
        self._walks = (_Walk(load_grants_after), _Walk(load_enablements_after))

    async def end(self, engine: AsyncEngine, most: int) -> int:
        """End `most` grants; return how much was ended, and read and need not be read again."""
        async with engine.begin() as connection:
            done = await self.end_some(connection, most)
            if done:
                crash_point("access.before_gathered")
        if done:
            crash_point("access.after_gathered")
        return done

    async def end_some(self, connection: AsyncConnection, most: int) -> int:
        """Do so in the caller's transaction.

        Brands are held alone while something of them ends: nobody comes onto their lists, or is
        waited for as the creator of an account. They are not held while it is only looked for.
        """
        brands = await find_gathered(connection, most)
        if not brands:
            return 0
        each = share_of(most, brands)
        passed, unlisted, done = await self._read(connection, brands, each)
        if not unlisted and not done:
            return passed
        await lock_brands(connection, {*brands_of(unlisted), *done})
        await end_gathering(connection, done)
        if not unlisted:
            return passed + len(done)
        # Asked again: some may have come onto the list while this waited.
        more, unlisted, _ = await self._read(connection, brands_of(unlisted), each)
        ended = await end_what_they_have(connection, unlisted, most)
        return passed + more + len(done) + ended

    async def _read(
        self, connection: AsyncConnection, brands: Collection[str], most: int
    ) -> tuple[int, set[Person], set[str]]:
        """Return how much was passed, who was never listed, and the brands without any."""
        passed, unlisted, done = 0, set[Person](), set(brands)
        for walk in self._walks:
            given = await walk.read(connection, brands, most)
            passed += walk.pass_listed(given)
            unlisted |= {(one.brand, one.member) for one in given if not one.is_listed}
            # Of whom as much came as was asked for, there may be more.
            counts = Counter(one.brand for one in given)
            done -= {brand for brand, count in counts.items() if count >= most}
        return passed, unlisted, done - {brand for brand, _ in unlisted}


class _Walk:
    """One way through the grants of brands, or through their enablements."""

    def __init__(
        self,
        load: Callable[[AsyncConnection, Mapping[str, Place], int], Awaitable[list[Given]]],
    ) -> None:
        self._load = load
        self._places: dict[str, Place] = {}

    async def read(
        self, connection: AsyncConnection, brands: Collection[str], most: int
    ) -> list[Given]:
        """Return what comes next, `most` of each brand."""
        places = {one: self._places.get(one, FIRST) for one in brands}
        return await self._load(connection, places, most)

    def pass_listed(self, given: Collection[Given]) -> int:
        """Go on to the first of each brand who was never listed; return how many come before."""
        stopped: set[str] = set()
        passed = 0
        for one in given:
            if not one.is_listed:
                stopped.add(one.brand)
            elif one.brand not in stopped:
                self._places[one.brand] = one.place
                passed += 1
        return passed
