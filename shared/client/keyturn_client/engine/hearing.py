"""What the events of the vault and of the workflow service tell an engine."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from keyturn_contracts.credential_vault import AccountChanged
from keyturn_contracts.topics import events_topic
from keyturn_contracts.workflow import AccountBound, AccountUnbound, EngineChanged, RolloutChanged

from keyturn_client.engine import lists, memory
from keyturn_client.engine.accounts import Kept
from keyturn_client.engine.journal import Who, position
from keyturn_client.engine.judging import ANOTHER_PROCESS, RETIRED, Stop
from keyturn_client.wire import Heard, Place, Read, read_event

TOPICS = (events_topic("credential-vault"), events_topic("workflow"))
_STILL_OPEN = frozenset({"open", "overdue"})


@dataclass(slots=True)
class News:
    """What a batch of events changed for this engine."""

    kept: dict[str, Kept] = field(default_factory=dict[str, Kept])
    bound: set[str] = field(default_factory=set[str])
    """Accounts that the engine may fetch now."""
    unbound: set[str] = field(default_factory=set[str])
    """Accounts that it may not, or not any more."""
    suspensions: dict[str, int] = field(default_factory=dict[str, int])
    """By account, the number that rises when other tasks than before are suspended."""
    restored: bool = False
    """The workflow service was restored from a backup."""
    stop: Stop | None = None


def about(who: Who, records: Iterable[Read]) -> list[Heard]:
    """Return the events that may concern an engine; of most records the key alone is read."""
    brand = f"{who.brand}/".encode()
    kinds = tuple(
        brand + kind
        for kind in (
            b"accounts/",
            b"rollouts/",
            f"holdings/{who.engine_id}/".encode(),
            f"engines/{who.engine_id}".encode(),
        )
    )
    found = (read_event(one) for one in records if one.key and one.key.startswith(kinds))
    return [one for one in found if one is not None and one.brand == who.brand]


def hear(
    connection: sqlite3.Connection,
    who: Who,
    events: Sequence[Heard],
    offsets: Mapping[Place, int],
) -> News:
    """Note what the events tell and how far was read; repeats and old ones change nothing."""
    news = News()
    for heard in events:
        event = heard.event
        if isinstance(event, AccountChanged):
            _hear_account(connection, who, event, news)
        elif isinstance(event, RolloutChanged):
            _hear_rollout(connection, who, event, heard.epoch, news)
        elif isinstance(event, AccountBound | AccountUnbound) and event.engine_id == who.engine_id:
            (news.bound if event.allowed else news.unbound).add(event.account_id)
            (news.unbound if event.allowed else news.bound).discard(event.account_id)
            news.suspensions[event.account_id] = event.suspensions
        elif isinstance(event, EngineChanged) and event.engine_id == who.engine_id:
            news.stop = news.stop or _hear_engine(connection, event)
    epochs = (one.epoch for one in events if one.event.service == "workflow")
    news.restored = memory.is_restored(connection, epochs)
    memory.save_offsets(connection, offsets)
    return news


def _hear_account(
    connection: sqlite3.Connection, who: Who, event: AccountChanged, news: News
) -> None:
    named = any(one.engine_id == who.engine_id for one in event.holders)
    if named or lists.standing(connection, event.account_id).bindings:
        news.kept[event.account_id] = memory.change(
            connection, event.account_id, lambda kept: kept.hear(event.version, named=named)
        )


def _hear_rollout(
    connection: sqlite3.Connection, who: Who, event: RolloutChanged, epoch: int, news: News
) -> None:
    why = {one.why for one in event.waiting if one.engine_id == who.engine_id} - {"lease"}
    if why and event.state in _STILL_OPEN:
        asked = (epoch, event.version, event.asked)
        news.kept[event.account_id] = memory.change(
            connection,
            event.account_id,
            lambda kept: kept.be_asked(asked, vanished="vanished" in why),
        )


def _hear_engine(connection: sqlite3.Connection, event: EngineChanged) -> Stop | None:
    ours = position(connection).epoch
    if event.state == "retired":
        return Stop("retired", RETIRED)
    if event.epoch > ours:
        return Stop("another_process", ANOTHER_PROCESS.format(theirs=event.epoch, ours=ours))
    return None
