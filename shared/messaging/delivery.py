"""Commits polls: tries again what only met others, and sets apart what fails of itself."""

import asyncio
import random
from dataclasses import replace

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.messaging import held_store
from shared.messaging.crash import crash_point
from shared.messaging.failures import classify, name_of
from shared.messaging.held import HeldKey
from shared.messaging.poll import Blame, Consuming, Part, Poll, Processed, process_poll
from shared.messaging.position import Fenced

_TRIES = 4
_PAUSE_SECONDS = 0.01


class Unavailable(Exception):  # noqa: N818  it says nothing about any message
    """The database cannot be used now, or has not said whether it committed.

    Read `position` again before going on, and believe it: some of the poll may be done.
    """


async def deliver(engine: AsyncEngine, consuming: Consuming, poll: Poll) -> Processed:
    """Apply and commit a poll: in one transaction, unless something in it undoes the rest.

    Then it is done in ever smaller parts, until what fails is alone: a command is held, news is
    kept as unreadable, and all others stand. `Fenced` and `Unavailable` are raised; before either
    a part may have been committed, which `position` knows.
    """
    done = await _deliver(engine, consuming, poll)
    for held_key in tuple(done.alone):
        done.add(await _deliver_alone(engine, consuming, _after(poll, done), held_key))
    return done


def _after(poll: Poll, done: Processed) -> Poll:
    return replace(poll, owned=done.owned)


async def _deliver(engine: AsyncEngine, consuming: Consuming, poll: Poll) -> Processed:
    try:
        return await _commit(engine, consuming, poll, Part(received=poll.received))
    except (Fenced, Unavailable):
        raise
    except Exception:  # noqa: BLE001  whatever it is, the culprit is looked for
        done = await _deliver_held(engine, consuming, poll)
        done.add(await _deliver_new(engine, consuming, _after(poll, done)))
        return done


async def _deliver_held(engine: AsyncEngine, consuming: Consuming, poll: Poll) -> Processed:
    """Take up what is held and due: together if that is possible, else the first of each key."""
    try:
        return await _commit(engine, consuming, poll, Part(received=()))
    except (Fenced, Unavailable):
        raise
    except Exception:  # noqa: BLE001  whatever it is, the culprit is looked for
        done = Processed(owned=dict(poll.owned))
        for held_key in await _due_keys(engine, poll):
            done.add(await _deliver_alone(engine, consuming, _after(poll, done), held_key))
        return done


async def _due_keys(engine: AsyncEngine, poll: Poll) -> list[HeldKey]:
    try:
        async with engine.connect() as connection:
            return await held_store.due_keys(
                connection, poll.owned.keys(), poll.now, has_news=False
            )
    except DBAPIError as error:
        raise Unavailable(name_of(error)) from error


async def _deliver_alone(
    engine: AsyncEngine, consuming: Consuming, poll: Poll, held_key: HeldKey
) -> Processed:
    """Take up the first of one key; where it fails here too, it is to blame."""
    try:
        return await _commit(engine, consuming, poll, Part(received=(), alone=held_key))
    except (Fenced, Unavailable):
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, it is held on for it
        blame = Blame(error)
        return await _commit(
            engine, consuming, poll, Part(received=(), alone=held_key, blame=blame)
        )


async def _deliver_new(engine: AsyncEngine, consuming: Consuming, poll: Poll) -> Processed:
    """Apply what the poll brought: all of it if that is possible, else each half by itself."""
    received = poll.received
    if not received:
        return Processed(owned=dict(poll.owned))
    try:
        return await _commit(engine, consuming, poll, Part(received=received, takes_up=False))
    except (Fenced, Unavailable):
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, the culprit is looked for
        if len(received) == 1:
            return await _set_apart(engine, consuming, poll, error)
    middle = len(received) // 2
    done = await _deliver_new(engine, consuming, replace(poll, received=received[:middle]))
    rest = replace(_after(poll, done), received=received[middle:])
    done.add(await _deliver_new(engine, consuming, rest))
    return done


async def _set_apart(
    engine: AsyncEngine, consuming: Consuming, poll: Poll, error: Exception
) -> Processed:
    """Hold the one record of this poll, or keep it as unreadable."""
    part = Part(received=poll.received, takes_up=False, blame=Blame(error))
    try:
        return await _commit(engine, consuming, poll, part)
    except (Fenced, Unavailable):
        raise
    except Exception:  # noqa: BLE001  it cannot be held: nothing of it may be in an index, say
        hopeless = replace(part, blame=Blame(error, is_hopeless=True))
        return await _commit(engine, consuming, poll, hopeless)


async def _commit(engine: AsyncEngine, consuming: Consuming, poll: Poll, part: Part) -> Processed:
    """Run one transaction; again where it only met another one."""
    tries = 0
    while True:
        tries += 1
        try:
            async with engine.begin() as connection:
                done = await process_poll(connection, consuming, poll, part)
                crash_point("consumer.before_commit")
        except Exception as error:
            failure = classify(error)
            if failure == "unavailable":
                raise Unavailable(name_of(error)) from error
            if failure == "content" or tries == _TRIES:
                raise
        else:
            crash_point("consumer.after_commit")
            return done
        await asyncio.sleep(_PAUSE_SECONDS * tries * random.random())  # noqa: S311  spreads retries
