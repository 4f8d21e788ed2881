"""What each service shows at its door, and what its commands and topics say of themselves."""

from typing import Any, cast, get_args

import pytest
from aiokafka import ConsumerRebalanceListener
from faststream.specification import AsyncAPI
from keyturn_contracts.message import EveryCommandsReason
from keyturn_contracts.registry import COMMANDS, EVENTS
from keyturn_contracts.topics import SERVICES, TOPICS, commands_topic, events_topic

from shared.messaging.framework import Polled, build_broker, subscribe
from tests.architecture.describing import describe, settings_for
from tests.architecture.reading import ROOT

FOLDERS = sorted(path.parent for path in ROOT.glob("services/*/app.py"))
PAGE = ("| Accepts |", "## Always true", "## Start reading at")
DECLARED = {one.name for one in TOPICS}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_service_has_a_page_at_its_door(folder: Any) -> None:
    """Whoever came new read all of a service to find out which half of it concerned him."""
    page = (folder / "README.md").read_text()

    for heading in PAGE:
        assert heading in page


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_the_page_at_the_door_names_every_command(folder: Any) -> None:
    """A command that nobody finds is sent by nobody."""
    page = (folder / "README.md").read_text()

    for command in describe(folder.name).commands:
        assert f"| `{command}` |" in page, command


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_service_takes_the_commands_that_are_its_own_and_all_of_them(folder: Any) -> None:
    """A command of the contract that no handler took was refused by nobody and lay unreadable."""
    service = describe(folder.name)

    assert service.name == folder.name.replace("_", "-")
    assert service.commands == sorted(
        one.__name__ for one in COMMANDS if one.service == service.name
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_service_listens_to_the_owners_of_what_it_hears(folder: Any) -> None:
    """A listener to events of a topic that nobody read heard nothing, and nothing said so."""
    service = describe(folder.name)

    assert sorted(service.listens_to) == service.heard
    for owner in service.heard:
        [topic] = [one for one in TOPICS if one.name == events_topic(owner)]
        assert service.name in topic.readers


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.__name__)
def test_a_command_lists_its_reasons(command: Any) -> None:
    """A reason that is listed nowhere surprises every program that reads it."""
    reasons: tuple[str, ...] = command.reasons

    assert reasons
    assert len(set(reasons)) == len(reasons)
    assert all(reason.isidentifier() and reason.islower() for reason in reasons)
    assert not set(reasons) & set(get_args(EveryCommandsReason))


@pytest.mark.parametrize("message", [*COMMANDS, *EVENTS], ids=lambda one: one.__name__)
def test_a_message_belongs_to_a_service_with_a_topic_for_it(message: Any) -> None:
    """An event whose topic nobody had declared stopped its service's outbox."""
    topic = commands_topic if message in COMMANDS else events_topic

    assert message.service in SERVICES
    assert topic(message.service) in DECLARED


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_topic_that_the_framework_documents_is_declared(folder: Any) -> None:
    """A topic with a slip in its name is waited for without end."""
    service = describe(folder.name)
    topics = [commands_topic(service.name), *map(events_topic, service.listens_to)]
    kafka = settings_for(service.name, folder).kafka
    broker = build_broker(kafka, client_id=service.name)

    async def poll(_client: object) -> Polled:
        return Polled(0, [])

    async def handle(_polled: Polled) -> None: ...

    subscribe(
        broker,
        topics,
        group="g",
        instance=None,
        listener=cast("ConsumerRebalanceListener", None),
        poll=poll,
        handle=handle,
    )
    document: dict[str, Any] = AsyncAPI(broker).to_specification().to_jsonable()
    documented = {one["bindings"]["kafka"]["topic"] for one in document["channels"].values()}
    assert documented == set(topics)
    assert documented <= DECLARED
