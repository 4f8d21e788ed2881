"""Logs: one JSON object a line, and no word of what a message, a row or a credential says."""

import json
import subprocess
import sys
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.http.errors import ApiError
from shared.telemetry.logs import describe_error
from tests.forking import ROOT
from tests.transport.running import Given

CANARY = "CANARY-7f3a"

SCRIPT = """
import asyncio, logging
import structlog
from shared.telemetry.logs import configure_logs

configure_logs("toy")
log = structlog.stdlib.get_logger()
log.info("plain", number=1)
log.info("named", password="CANARY-7f3a", value=b"CANARY-7f3a", key="CANARY-7f3a")
try:
    int("CANARY-7f3a")
except ValueError as error:
    log.error("ours", exc_info=error)
    log.exception("ours again")
    logging.getLogger("library").exception("theirs")
    logging.getLogger("library").error("first line\\nCANARY-7f3a")

async def main():
    async def fail():
        raise RuntimeError("CANARY-7f3a")
    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    del task

asyncio.run(main())
raise ExceptionGroup("CANARY-7f3a", [ValueError("CANARY-7f3a")])
"""


def test_nothing_that_was_handled_reaches_a_line() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    entries: dict[str, Any] = {}
    for line in ended.stderr.splitlines():
        entry = json.loads(line)
        entries[entry["event"]] = entry

    assert CANARY not in ended.stderr + ended.stdout
    assert entries["plain"]["number"] == 1
    assert entries["named"]["password"] == "withheld"
    assert entries["ours"]["error"] == "ValueError"
    assert entries["ours"]["trace"][-1] == "ValueError"
    assert entries["ours again"]["trace"][0].endswith(" <module>")
    assert entries["theirs"]["error"] == "ValueError"
    assert "first line" in entries
    assert entries["nobody caught an error"]["error"] == "ExceptionGroup"
    assert all(one["service"] == "toy" for one in entries.values())


@pytest.mark.parametrize(
    ("error", "described"),
    [
        (ValueError(CANARY), "ValueError"),
        (KeyError(CANARY), "KeyError"),
        (
            ConnectionRefusedError(111, "Connection refused"),
            "ConnectionRefusedError: Connection refused",
        ),
        (
            KafkaConnectionError("no broker"),
            "KafkaConnectionError: no broker",
        ),
        (ApiError("conflict", "Somebody was quicker."), "ApiError: Somebody was quicker."),
    ],
)
def test_an_error_is_described_without_what_it_met(error: Exception, described: str) -> None:
    assert describe_error(error) == described


async def test_the_database_quotes_the_row_and_we_do_not(given: Given) -> None:
    statement = text("INSERT INTO heard VALUES (:slug, 1, 1)")
    async with given.context.writer.begin() as connection:
        await connection.execute(statement, {"slug": CANARY})
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(statement, {"slug": CANARY})
        await connection.rollback()
    cause = caught.value.__cause__.__cause__  # pyright: ignore[reportOptionalMemberAccess]  the driver's own

    assert CANARY in repr(vars(cause)), "The driver does quote it."
    assert CANARY not in describe_error(caught.value)
    assert cause is not None
    assert describe_error(cause) == "UniqueViolationError: 23505 heard heard_pkey"
