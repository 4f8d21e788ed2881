"""Every message: what is written is read, strangers are ignored, and the documents name all."""

import json
from itertools import chain
from typing import Any, cast, get_args

import pytest
from jsonschema import Draft202012Validator
from keyturn_contracts.asyncapi import asyncapi_document, messages_of
from keyturn_contracts.credential_vault import AddAccount, EditCredentials
from keyturn_contracts.examples import EXAMPLES
from keyturn_contracts.ids import new_id, time_of_id
from keyturn_contracts.message import Command, EveryCommandsReason, Key, Message
from keyturn_contracts.registry import COMMANDS, EVENTS
from keyturn_contracts.schemas import schema_of
from keyturn_contracts.topics import PRINCIPALS, TOPICS
from keyturn_contracts.workflow import EVERYTHING
from pydantic import ValidationError

by_name = pytest.mark.parametrize("message", EXAMPLES, ids=lambda one: type(one).__name__)


def test_every_message_has_one_example() -> None:
    assert sorted(type(one).__name__ for one in EXAMPLES) == sorted(
        one.__name__ for one in (*COMMANDS, *EVENTS)
    )


@by_name
def test_what_is_written_is_read_and_strangers_are_ignored(message: Message) -> None:
    written = message.to_json()
    more = {**json.loads(written), "a_field_of_tomorrow": 1}

    assert type(message).model_validate_json(written) == message
    assert type(message).model_validate(more) == message
    assert b"null" not in written


@by_name
def test_its_example_is_valid_by_its_own_schema(message: Message) -> None:
    schema = schema_of(type(message))
    Draft202012Validator.check_schema(schema)

    found = list(Draft202012Validator(schema).iter_errors(json.loads(message.to_json())))  # pyright: ignore[reportUnknownMemberType]  the library does not say

    assert found == []


@by_name
def test_its_key_is_its_brand_and_subject(message: Message) -> None:
    key = message.key("acme")

    assert Key.of(str(key)) == key
    assert str(key) == f"acme/{key.subject}"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.__name__)
def test_a_command_says_why_it_may_be_refused(command: type[Command]) -> None:
    assert command.reasons
    assert not set(command.reasons) & set(get_args(EveryCommandsReason))


def test_an_error_about_content_does_not_quote_it() -> None:
    with pytest.raises(ValidationError) as caught:
        EditCredentials.model_validate({"account_id": "canary 71f3", "sealed": ["canary 71f3"]})

    assert "71f3" not in str(caught.value)


def test_every_message_stands_in_one_topic_of_the_document() -> None:
    document = asyncapi_document("0")
    carried = list(chain.from_iterable(messages_of(topic) for topic in TOPICS))

    for message in (*COMMANDS, *EVENTS):
        assert carried.count(message.type_name()) == 1
        assert document["components"]["messages"][message.type_name()]["examples"]
    text = json.dumps(document)
    for reference in set(_references(document)):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
    assert '"null"' not in text


def test_topics_name_known_principals_and_only_the_owner_writes_events() -> None:
    for topic in TOPICS:
        assert {*topic.writers, *topic.readers} <= set(PRINCIPALS)
        if topic.name.endswith((".events", ".audit")):
            assert topic.writers == (topic.name.split(".")[1],)


def test_an_id_tells_when_it_was_made() -> None:
    first, second = new_id(), new_id()

    assert first != second
    moment = time_of_id(first)
    assert moment is not None
    assert new_id(moment)[:13] == first[:13]
    for text in ("", "x", first.upper(), "0199", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"):
        assert time_of_id(text) is None


def test_ids_sort_in_the_order_they_were_made() -> None:
    made = [new_id() for _ in range(5000)]

    assert made == sorted(set(made))


def _references(part: Any) -> list[str]:
    if isinstance(part, list):
        return list(chain.from_iterable(map(_references, cast("list[Any]", part))))
    if not isinstance(part, dict):
        return []
    members = cast("dict[str, Any]", part)
    inside = list(chain.from_iterable(map(_references, members.values())))
    return [*inside, members["$ref"]] if isinstance(members.get("$ref"), str) else inside


def test_no_account_is_called_like_the_scope_of_a_whole_list() -> None:
    (example,) = [one for one in EXAMPLES if isinstance(one, AddAccount)]

    with pytest.raises(ValidationError, match="choose another id"):
        AddAccount.model_validate({**example.model_dump(), "account_id": EVERYTHING})
