"""A process of the demo ends with the one that it is there for, however that one ended."""

import asyncio
import signal

import psutil

_LOOK_SECONDS = 0.2


async def until_ended(process_id: int) -> None:
    """Return when the process has ended, as a zombie too; another one with its number is not it."""
    try:
        process = psutil.Process(process_id)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110  the end of a process that is no child is no event
            await asyncio.sleep(_LOOK_SECONDS)
    except psutil.NoSuchProcess:
        return


def end_in_order_when_told() -> None:
    """Take SIGTERM and a closed terminal for a Ctrl-C: asyncio then cancels what runs."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)
