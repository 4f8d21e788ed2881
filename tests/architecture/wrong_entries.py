"""Entries that must not type-check: where the checker accepts one, its `ignore` is an error.

A rule registered for another service's state, or for a message that it does not take, would be
found by the first message in production.
"""

from collections.abc import Sequence

from keyturn_contracts.catalog import ExtensionPublished
from keyturn_contracts.credential_vault import DeleteAccount, VerifyAccount
from keyturn_contracts.workflow import RetireEngineReason
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.decisions import Decision, Refused, Unchanged
from shared.messaging.envelope import Asked, News
from shared.messaging.handlers import Aggregate, BulkCommand, Handlers, Listener
from tests.transport import notes
from tests.transport.notes import AddLine, NoteState


class Account:
    """Another service's state."""


def decide_on_an_account(
    _account: Account | None, _asked: Asked[AddLine]
) -> Decision[Account, str]:
    return Unchanged("")


def decide_verification(
    _note: NoteState | None, _asked: Asked[VerifyAccount]
) -> Decision[NoteState, str]:
    return Unchanged("")


def decide_with_an_unlisted_reason(
    _note: NoteState | None, _asked: Asked[AddLine]
) -> Decision[NoteState, RetireEngineReason]:
    return Refused("becuase", "")  # pyright: ignore[reportReturnType, reportUnknownVariableType]  a slip in a reason


async def hear_deletions(
    _connection: AsyncConnection,
    _news: Sequence[News[DeleteAccount]],  # pyright: ignore[reportInvalidTypeArguments]  a command is no news
) -> None: ...


Handlers(
    notes.notes.command(AddLine, decide_on_an_account),  # pyright: ignore[reportArgumentType]  another state
    notes.notes.command(AddLine, decide_verification),  # pyright: ignore[reportArgumentType]  another command
    BulkCommand(AddLine, notes.hear),  # pyright: ignore[reportArgumentType]  a listener is no bulk
    Listener(ExtensionPublished, notes.save_notes),  # pyright: ignore[reportArgumentType]  it takes no news
)
Aggregate(lock=notes.lock_notes, save=notes.hear)  # pyright: ignore[reportArgumentType]  it saves nothing
