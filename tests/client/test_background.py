"""Work beside a body: it ends with it, tells what went wrong in it, and can begin again."""

import asyncio

import pytest
from keyturn_client.background import Background


async def _broken() -> None:
    raise LookupError("It broke.")


async def test_it_ends_with_the_body_and_can_begin_again() -> None:
    background, began = Background(), 0

    async def work() -> None:
        nonlocal began
        began += 1
        await asyncio.Event().wait()

    for times in (1, 2):
        await background.begin(work())
        await asyncio.sleep(0)
        await background.end(None)
        assert began == times


async def test_what_goes_wrong_cancels_the_body_and_is_raised_as_it_is() -> None:
    background = Background()
    await background.begin(_broken())
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await asyncio.Event().wait()
    with pytest.raises(LookupError, match=r"It broke\."):
        await background.end(cancelled.value)


async def test_what_never_began_has_nothing_to_end() -> None:
    await Background().end(None)
