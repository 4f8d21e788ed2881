"""The JSON Schema of a manifest's file, for editors and for whoever writes one."""

from typing import Any, cast

from keyturn_contracts.catalog import Manifest
from keyturn_contracts.schemas import DIALECT, as_published

_USE = "Use"
_NAME_OF_PART = {"type": "string", "pattern": r"^[a-z0-9-]+\.[a-z0-9-]+$"}
_A_USE = {"$ref": f"#/$defs/{_USE}"}


def manifest_schema() -> dict[str, Any]:
    """Return the contract's schema, closed: what it does not know is refused.

    Anywhere `{use: family.part}` may stand for what several manifests share, and beside `use` an
    object has just the keys that are put over it. What it cannot say (secrets in their places,
    hosts that domains cover) the catalog says when it reads the file.
    """
    published: dict[str, Any] = as_published(Manifest.model_json_schema())
    definitions: dict[str, Any] = published.pop("$defs")
    return {
        "$schema": DIALECT,
        "$id": "keyturn.catalog.Manifest",
        **_object(published),
        "$defs": {
            **{name: _definition(one) for name, one in definitions.items()},
            _USE: {
                "description": "What several manifests share, from a file of the folder shared.",
                "type": "object",
                "properties": {"use": _NAME_OF_PART},
                "required": ["use"],
                "additionalProperties": False,
            },
        },
    }


def _definition(schema: dict[str, Any]) -> dict[str, Any]:
    return _object(schema) if "properties" in schema else schema


def _object(schema: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, dict[str, Any]] = schema["properties"]
    constants = [name for name, one in properties.items() if "const" in one]
    required = [*schema.get("required", []), *constants]
    kept = {word: one for word, one in schema.items() if word not in {"properties", "required"}}
    closed = {
        **kept,
        "properties": {
            **{name: _value(one) for name, one in properties.items()},
            "use": _NAME_OF_PART,
        },
        "additionalProperties": False,
    }
    if required:
        closed |= {"if": {"required": ["use"]}, "else": {"required": sorted(set(required))}}
    return closed


def _value(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what may stand in a place: that, or a use of a part that is that."""
    if "$ref" in schema:
        return schema
    if schema.get("type") == "array":
        return _or_use({**schema, "items": _or_use(_value(schema["items"]))})
    if schema.get("type") == "object":
        inside: Any = schema.get("additionalProperties")
        if not isinstance(inside, dict):
            return schema
        return {**schema, "additionalProperties": _value(cast("dict[str, Any]", inside))}
    variants: list[dict[str, Any]] | None = schema.get("oneOf") or schema.get("anyOf")
    if variants is None:
        return _or_use(schema)
    kept = {word: one for word, one in schema.items() if word not in {"oneOf", "anyOf"}}
    # With `use` more than one of them may fit, which `oneOf` would not have.
    return {**kept, "anyOf": [_value(one) for one in variants]}


def _or_use(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {word: schema[word] for word in ("title", "description", "default") if word in schema}
    inside = {word: one for word, one in schema.items() if word not in kept}
    return {**kept, "anyOf": [inside, _A_USE]}
