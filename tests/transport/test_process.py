"""The whole service as a process: how it starts, answers, is killed, goes on and stops."""

import json
import signal
import socket
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from keyturn_contracts.ids import new_id
from pydantic import SecretStr
from sqlalchemy import select

from shared.messaging.tables import HeldRow
from shared.settings import HttpSettings
from tests.transport import notes
from tests.transport.given import GivenIssuer
from tests.transport.running import Given, Process, free_port, in_thread
from tests.transport.test_consumer import has, has_line
from tests.transport.test_relay import is_sent, lines_up_to
from tests.waiting import eventually


async def test_a_command_becomes_an_event_and_an_outcome(given: Given, tmp_path: Path) -> None:
    with given.process(tmp_path) as process:
        await in_thread(process.wait_ready)
        command_id = new_id()
        await given.send(given.line("n1", "line 0", command_id=command_id))

        answer = await in_thread(lambda: process.get(f"/v1/outcomes/{command_id}?wait=30s"))

        assert answer.status_code == 200
        outcome = answer.json()
        assert outcome["outcome"] == "applied"
        assert outcome["changed"] is True
        assert [one["subject"] for one in outcome["events"]] == ["notes/n1"]
        await eventually(lambda: is_sent(given))
        assert await given.announced("n1") == [("line 0",)]


async def test_an_outcome_is_for_its_issuer_and_brand_alone(given: Given, tmp_path: Path) -> None:
    other = GivenIssuer(name="other", brands=(given.brand,))
    other.write_to(given.settings.issuers)
    with given.process(tmp_path) as process:
        await in_thread(process.wait_ready)
        command_id = new_id()
        await given.send(given.line("n1", "line 0", command_id=command_id))
        await eventually(lambda: has(given, "n1", ["line 0"]))
        path = f"/v1/outcomes/{command_id}"

        assert (await in_thread(lambda: process.get(path))).status_code == 200
        for answer in (
            await in_thread(lambda: process.get(path, by=other)),
            await in_thread(lambda: process.get(path, brand="twin")),
            await in_thread(lambda: process.get(f"/v1/outcomes/{new_id()}")),
        ):
            assert answer.status_code == 404
            assert answer.json()["error"] == "not_found"


async def test_an_outcome_that_comes_while_somebody_waits_is_told_at_once(
    given: Given, tmp_path: Path
) -> None:
    with given.process(tmp_path) as process:
        await in_thread(process.wait_ready)
        command_id = new_id()
        answers: list[httpx.Response] = []

        async def ask() -> None:
            path = f"/v1/outcomes/{command_id}?wait=30s"
            answers.append(await in_thread(lambda: process.get(path)))

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await eventually(lambda: is_asked(process))
            await given.send(given.line("n1", "line 0", command_id=command_id))

        assert '"outcome":"applied"' in answers[0].text


@pytest.mark.parametrize(
    "crash",
    [
        "consumer.before_commit:2",
        "consumer.after_commit:2",
        "outbox.before_send:2",
        "outbox.after_send:2",
        "outbox.after_delete:2",
    ],
)
async def test_a_process_that_is_killed_loses_nothing_and_doubles_nothing(
    given: Given, tmp_path: Path, crash: str
) -> None:
    with given.process(tmp_path, crash=crash) as killed:
        await in_thread(killed.wait_ready)
        number = 0
        while killed.popen.poll() is None:
            await given.send(given.line("n1", f"line {number}"))
            assert await is_applied_or_dead(given, killed, f"line {number}")
            number += 1
        assert killed.popen.returncode == -signal.SIGKILL
    await given.send(given.line("n1", f"line {number}"))
    with given.process(tmp_path) as process:
        await in_thread(process.wait_ready)
        await eventually(lambda: has(given, "n1", list(lines_up_to(number))))
        await eventually(lambda: is_sent(given))

        states = await given.announced("n1")
        assert list(dict.fromkeys(states)) == [lines_up_to(n) for n in range(number + 1)]
        assert process.terminate() == 0, process.log.read_text()


async def test_sigterm_stops_it_with_a_zero(given: Given, tmp_path: Path) -> None:
    with given.process(tmp_path) as process:
        await in_thread(process.wait_ready)
        await given.send(*(given.line("n1", f"line {n}") for n in range(200)))

        assert await in_thread(process.terminate) == 0, process.log.read_text()

    with given.process(tmp_path) as process:
        await eventually(lambda: has(given, "n1", list(lines_up_to(199))))


async def test_a_second_process_shares_the_work_and_takes_over_what_the_first_leaves(
    given: Given, tmp_path: Path
) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    another = given.with_settings(http=HttpSettings(port=free_port()))
    with given.process(tmp_path) as first, another.process(folder) as second:
        await in_thread(first.wait_ready)
        await in_thread(second.wait_ready)
        await given.send(*(given.line(f"n{n}", "both") for n in range(40)))
        for n in range(40):
            await eventually(lambda n=n: has(given, f"n{n}", ["both"]))

        first.kill()
        await given.send(*(given.line(f"n{n}", "one") for n in range(40)))
        for n in range(40):
            await eventually(lambda n=n: has(given, f"n{n}", ["both", "one"]), within=40)


async def test_held_commands_are_an_operators_business(given: Given, tmp_path: Path) -> None:
    other = GivenIssuer(name="other", brands=("twin",), roles=("operator",))
    other.write_to(given.settings.issuers)
    with given.process(tmp_path) as process:
        await in_thread(process.wait_ready)
        command_id = new_id()
        await given.send(given.line("n1", notes.FAILING, command_id=command_id))
        await eventually(lambda: is_held(given))

        assert (await in_thread(lambda: process.get("/v1/held"))).status_code == 403
        listed = await in_thread(lambda: process.get("/v1/held", roles=["operator"]))
        [item] = listed.json()["items"]
        assert item["id"] == command_id
        assert item["command"] == "AddLine"
        assert item["cause"] == "ZeroDivisionError"
        assert notes.FAILING not in listed.text
        place = f"/v1/held/{item['place']}"
        shown = await in_thread(lambda: process.get(place, roles=["operator"]))
        assert shown.json()["id"] == command_id
        foreign: dict[str, Any] = {"by": other, "brand": "twin", "roles": ["operator"]}
        listed = await in_thread(lambda: process.get("/v1/held", **foreign))
        assert listed.json() == {"items": []}
        for refused in (
            await in_thread(lambda: process.get(place, **foreign)),
            await in_thread(lambda: process.post(f"{place}/drop", **foreign)),
        ):
            assert refused.status_code == 404

        dropped = await in_thread(lambda: process.post(f"{place}/drop", roles=["operator"]))
        assert dropped.status_code == 200
        outcome = await in_thread(lambda: process.get(f"/v1/outcomes/{command_id}?wait=30s"))
        assert outcome.json()["reason"] == "dropped"
        assert (await in_thread(lambda: process.get(place, roles=["operator"]))).status_code == 404
        audited = [one for one in logged(process) if one.get("audit")]
        assert [(one["what"], one["by"]) for one in audited] == [("drop", "ada")]


async def test_its_log_is_json_that_quotes_nothing(given: Given, tmp_path: Path) -> None:
    canary = "s3cr3t-canary"
    with given.process(tmp_path) as process:
        await in_thread(process.wait_ready)
        await given.send(
            given.line(canary, canary, headers={"ce_time": canary.encode()}),
            given.line("n1", canary, value=canary.encode()),
            given.line("n1", notes.FAILING, subject=canary),
            given.line("n2", "after"),
        )
        await eventually(lambda: has(given, "n2", ["after"]))
        await eventually(lambda: is_held(given))

        entries = logged(process)
        assert {"partitions taken over", "ready"} <= {one["event"] for one in entries}
        assert all({"event", "level", "service", "timestamp"} <= one.keys() for one in entries)
        failed = [one for one in entries if one["event"] == "a command is tried again later"]
        assert failed[0]["error"] == "ZeroDivisionError"
        assert canary not in process.log.read_text()


async def test_metrics_have_a_closed_set_of_names_and_no_brand(
    given: Given, tmp_path: Path
) -> None:
    with given.process(tmp_path) as process:
        await in_thread(process.wait_ready)
        await given.send(given.line("n1", "line 0"))
        await eventually(lambda: has(given, "n1", ["line 0"]))

        shown = await in_thread(lambda: httpx.get(f"{process.url}/metrics").text)

        assert (
            'keyturn_messages_total{kind="command",outcome="applied",'
            'topic="keyturn.catalog.commands"} 1.0'
        ) in shown
        assert given.brand not in shown


async def test_errors_over_http_have_one_body(given: Given, tmp_path: Path) -> None:
    with given.process(tmp_path) as process:
        await in_thread(process.wait_ready)
        asked: dict[str, tuple[int, str, dict[str, str]]] = {
            "/v1/outcomes/x": (401, "not_authenticated", {}),
            "/v1/outcomes/x?wait=forever": (422, "invalid", process.token()),
            "/nowhere": (404, "not_found", {}),
            "/v1/held": (403, "not_allowed", process.token()),
        }
        for path, (status, name, headers) in asked.items():
            answer = await in_thread(
                lambda path=path, headers=headers: httpx.get(process.url + path, headers=headers)
            )
            assert (answer.status_code, answer.json()["error"]) == (status, name), path
            assert answer.json().keys() == {"error", "message"}
            assert answer.headers["cache-control"] == "no-store"

        large = await in_thread(
            lambda: httpx.post(f"{process.url}/v1/held/x/drop", content=b"x" * 2_000_000)
        )
        assert large.status_code in {401, 413}


SENTENCES = {
    "a taken port": "cannot be listened at",
    "an address for everybody": "can be reached from elsewhere",
    "a database that is behind": "run `keyturn up`",
    "a topic that is missing": "run `keyturn topics apply`",
    "a wrong password": "is the password right?",
}


@pytest.mark.parametrize("problem", SENTENCES)
async def test_what_keeps_it_from_starting_gets_a_sentence(
    given: Given, tmp_path: Path, problem: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        match problem:
            case "a taken port":
                changed = given.with_settings(http=HttpSettings(port=taken.getsockname()[1]))
            case "an address for everybody":
                everybody = "0.0.0.0"  # noqa: S104  what must be refused
                changed = given.with_settings(http=HttpSettings(host=everybody, port=free_port()))
            case "a database that is behind":
                changed = given.with_settings(database=given.stack.new_database("catalog"))
            case "a topic that is missing":
                changed = given.with_settings(kafka=given.stack.kafka.settings_of("engine"))
            case _:
                kafka = given.settings.kafka.model_copy(update={"password": SecretStr("wrong")})
                changed = given.with_settings(kafka=kafka)
        with changed.process(tmp_path) as process:
            assert await in_thread(process.wait_end) == 1
            assert SENTENCES[problem] in str(logged(process)[-1]["event"])


async def is_applied_or_dead(given: Given, process: Process, line: str) -> bool:
    return await eventually(
        lambda: _is_applied_or_dead(given, process, line),
    )


async def _is_applied_or_dead(given: Given, process: Process, line: str) -> bool:
    return process.popen.poll() is not None or await has_line(given, "n1", line)


async def is_held(given: Given) -> bool:
    return bool(await given.fetch(select(HeldRow.offset)))


async def is_asked(process: Process) -> bool:
    shown = await in_thread(lambda: httpx.get(f"{process.url}/metrics").text)
    return "keyturn_outcomes_awaited 1.0" in shown


def logged(process: Process) -> list[dict[str, object]]:
    return [json.loads(line) for line in process.log.read_text().splitlines()]
