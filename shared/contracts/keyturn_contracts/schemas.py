"""The JSON Schema of each message, as it is published and compared."""

from typing import Any

from pydantic import JsonValue

from keyturn_contracts.message import Command, Message
from keyturn_contracts.registry import COMMANDS, EVENTS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(message: type[Message]) -> dict[str, Any]:
    """Return one message's schema: closed where others write it, open where they read it.

    `x-message` is `command` or `event`, `x-key` the record key's shape.
    """
    schema = as_published(message.model_json_schema())
    is_command = issubclass(message, Command)
    if is_command:
        for part in (schema, *schema.get("$defs", {}).values()):
            if part.get("type") == "object" and "properties" in part:
                part.setdefault("additionalProperties", False)
    return {
        "$schema": DIALECT,
        "$id": message.type_name(),
        "x-message": "command" if is_command else "event",
        "x-key": key_shape(message),
        **schema,
    }


def key_shape(message: type[Message]) -> str:
    """Return the record key's shape; a brand has one licence, without an id."""
    return f"<brand>/{message.kind}" + ("" if message.kind == "licence" else "/<id>")


def all_schemas() -> dict[str, dict[str, Any]]:
    """Return every message's schema by its type, as it stands in `ce_type`."""
    return {one.type_name(): schema_of(one) for one in (*COMMANDS, *EVENTS)}


def as_published(schema: JsonValue) -> Any:
    """Return a schema as others read it.

    An optional field is one that may be absent, never null. `discriminator` is left out: JSON
    Schema does not know it, and AsyncAPI has another meaning for it.
    """
    if isinstance(schema, list):
        return [as_published(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    shown: dict[str, Any] = {
        word: as_published(value)
        for word, value in schema.items()
        if not (word == "default" and value is None) and not _is_discriminator(word, value)
    }
    variants: list[Any] = shown.get("anyOf", [])
    left = [one for one in variants if one != {"type": "null"}]
    if len(left) < len(variants):
        del shown["anyOf"]
        shown |= left[0] if len(left) == 1 else {"anyOf": left}
    return shown


def _is_discriminator(word: str, value: JsonValue) -> bool:
    return word == "discriminator" and isinstance(value, dict) and "propertyName" in value
