"""The AsyncAPI 3 document of every topic and message, made from the contracts."""

from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import models_json_schema

from keyturn_contracts import envelope
from keyturn_contracts.examples import EXAMPLES
from keyturn_contracts.message import Command, CommandApplied, CommandRefused, Message, Part
from keyturn_contracts.registry import COMMANDS, EVENTS
from keyturn_contracts.schemas import as_published, key_shape
from keyturn_contracts.topics import TOPICS, Topic, commands_topic, events_topic

_HEADER_TEXTS = {
    envelope.SPEC_VERSION: "Always `1.0`.",
    envelope.ID: "A UUIDv7. Of a command: its idempotency key.",
    envelope.TYPE: "The message's type.",
    envelope.SOURCE: "Who wrote it, for example `/keyturn/credential-vault`.",
    envelope.SUBJECT: "The aggregate, for example `accounts/mail`.",
    envelope.TIME: "RFC 3339, informative: nothing is ordered by it.",
    envelope.BRAND: "The brand; `platform` for what belongs to none.",
    envelope.CONTENT_TYPE: "Always `application/json`.",
    envelope.EPOCH: "Of an event: rises when a service is restored. Of an engine: its own.",
    envelope.SEQUENCE: "Of an event: the aggregate's version. Of an engine: its number.",
    envelope.CORRELATION_ID: "The command that began it.",
    envelope.CAUSATION_ID: "The message that caused this one.",
    envelope.TRACE_PARENT: "W3C trace context.",
}
_ALWAYS = (
    envelope.SPEC_VERSION,
    envelope.ID,
    envelope.TYPE,
    envelope.SOURCE,
    envelope.SUBJECT,
    envelope.TIME,
    envelope.BRAND,
    envelope.CONTENT_TYPE,
)
_OF_COMMANDS = {
    envelope.ACTOR: "Who asks: a compact JWS over the claims and the value's SHA-256.",
    envelope.REPLY_TO: "The sender wants the outcome as a record too.",
}
_OUTCOMES: tuple[type[Part], ...] = (CommandApplied, CommandRefused)


def asyncapi_document(version: str) -> dict[str, Any]:
    """Return the document; equal contracts give an equal document."""
    models: tuple[type[Part], ...] = (*COMMANDS, *EVENTS, *_OUTCOMES)
    schemas, components = models_json_schema(
        [(one, "validation") for one in models], ref_template="#/components/schemas/{model}"
    )
    examples: dict[type[Part], Message] = {type(one): one for one in EXAMPLES}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Keyturn",
            "version": version,
            "description": "Commands and events of Keyturn over Apache Kafka.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": envelope.JSON,
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": dict(_operations()),
        "components": {
            "messages": {
                _name(model): _message(model, schemas[model, "validation"], examples.get(model))
                for model in models
            },
            "schemas": as_published(components.get("$defs", {})),
        },
    }


def messages_of(topic: Topic) -> list[str]:
    """Return the names of the messages that a topic carries."""
    if topic.name.startswith("keyturn.replies."):
        return [_name(one) for one in _OUTCOMES]
    return [
        *(_name(one) for one in COMMANDS if commands_topic(one.service) == topic.name),
        *(_name(one) for one in EVENTS if events_topic(one.service) == topic.name),
    ]


def _name(model: type[Part]) -> str:
    """Return a message's type, as two services may have a message of one name."""
    return model.type_name() if issubclass(model, Message) else model.__name__


def _channel(topic: Topic) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "cleanup.policy": [topic.cleanup],
        "retention.ms": topic.retention_ms,
    }
    return {
        "address": topic.name,
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in messages_of(topic)
        },
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": configuration,
                "bindingVersion": "0.5.0",
            }
        },
        "x-writers": list(topic.writers),
        "x-readers": list(topic.readers),
    }


def _operations() -> Iterable[tuple[str, dict[str, Any]]]:
    for topic in TOPICS:
        if not messages_of(topic):
            continue
        pointer = topic.name.replace("~", "~0").replace("/", "~1")
        is_read = topic.name.endswith(".commands")
        yield (
            f"{'receive' if is_read else 'send'}.{topic.name}",
            {
                "action": "receive" if is_read else "send",
                "channel": {"$ref": f"#/channels/{pointer}"},
            },
        )


def _message(model: type[Part], payload: dict[str, Any], example: Message | None) -> dict[str, Any]:
    summary = (model.__doc__ or model.__name__).strip().splitlines()[0]
    shown: dict[str, Any] = {
        "name": _name(model),
        "title": model.__name__,
        "summary": summary,
        "contentType": envelope.JSON,
        "headers": _headers(model),
        "payload": as_published(payload),
    }
    if issubclass(model, Message):
        shown["bindings"] = {
            "kafka": {
                "key": {"type": "string", "description": f"`{key_shape(model)}`"},
                "bindingVersion": "0.5.0",
            }
        }
    if example is not None:
        value = example.model_dump(mode="json", exclude_none=True)
        shown["examples"] = [{"name": model.__name__, "payload": value}]
    return shown


def _headers(model: type[Part]) -> dict[str, Any]:
    texts = dict(_HEADER_TEXTS)
    required: list[str] = list(_ALWAYS)
    if issubclass(model, Command):
        texts |= _OF_COMMANDS
        required.append(envelope.ACTOR)
    return {
        "type": "object",
        "required": required,
        "properties": {
            name: {"type": "string", "description": text} for name, text in texts.items()
        },
    }
