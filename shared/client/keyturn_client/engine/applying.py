"""What an engine's own code is asked to do with a version, and what it is given for it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from keyturn_contracts.sealing import Fetched

from keyturn_client.engine import lists
from keyturn_client.engine.book import Book


@dataclass(frozen=True, slots=True)
class Workflows:
    """The workflows that use an account, however many they are."""

    account_id: str
    bindings: int
    """How many of their tasks use it."""
    _book: Book

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield their ids, in order."""
        after = ""
        while page := await self._book.read(lists.workflow_ids, self.account_id, after):
            for workflow_id in page:
                yield workflow_id
            after = page[-1]


Apply = Callable[[Fetched, Workflows], Awaitable[Mapping[str, str] | None]]
"""The engine's own: have new runs use this version. Return why not, by workflow, for those that
cannot; or raise `NotAppliedError` where none can. Called again with the same version after a
restart."""
LetGo = Callable[[str], Awaitable[None]]
"""The engine's own: forget what it keeps of this account."""
