"""A contract only grows: what of a change would break somebody, by name.

Of commands we are the reader: what was accepted stays accepted. Of events we are the writer, and
readers of ours have old events before them: what they could rely on stays so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

MAY_GROW = "x-may-grow"
"""Marks an enum of an event whose readers expect values that they do not know."""

Direction = Literal["command", "event"]
Schema = Mapping[str, Any]

_BOUNDS: dict[str, Literal["upper", "lower"]] = {
    "maxLength": "upper",
    "maxItems": "upper",
    "maximum": "upper",
    "exclusiveMaximum": "upper",
    "minLength": "lower",
    "minItems": "lower",
    "minimum": "lower",
    "exclusiveMinimum": "lower",
}
_FIXED = ("type", "format", "pattern", "const")

Kind = Literal[
    "message_removed",
    "field_removed",
    "field_retyped",
    "newly_required",
    "no_longer_required",
    "enum_narrowed",
    "enum_widened",
    "variant_removed",
    "variant_added",
    "bound_tightened",
    "key_changed",
]


@dataclass(frozen=True, slots=True, order=True)
class Break:
    """One change that breaks somebody: where (`EditCredentials.v1/settings`), and how."""

    where: str
    kind: Kind
    was: str = ""
    now: str = ""

    def __str__(self) -> str:
        change = f" (was {self.was}, now {self.now})" if self.was or self.now else ""
        return f"{self.where}: {self.kind.replace('_', ' ')}{change}"


def breaks(released: Mapping[str, Schema], today: Mapping[str, Schema]) -> list[Break]:
    """Compare schemas by message type, as `schemas.schema_of` makes them; empty: nobody breaks."""
    found: list[Break] = []
    for name, old in sorted(released.items()):
        new = today.get(name)
        if new is None:
            found.append(Break(name, "message_removed"))
            continue
        if old.get("x-key") != new.get("x-key"):
            found.append(Break(name, "key_changed", str(old.get("x-key")), str(new.get("x-key"))))
        direction: Direction = "command" if old.get("x-message") == "command" else "event"
        _Comparison(old, new, direction, found).compare(name, old, new)
    return sorted(found)


@dataclass(slots=True)
class _Comparison:
    old_root: Schema
    new_root: Schema
    direction: Direction
    found: list[Break]

    def compare(self, where: str, old: Schema, new: Schema) -> None:
        old_variants, new_variants = _variants(old), _variants(new)
        if old_variants or new_variants:
            self._compare_variants(where, old_variants or [old], new_variants or [new])
            return
        old, new = _resolved(self.old_root, old), _resolved(self.new_root, new)
        for word in _FIXED:
            if old.get(word) != new.get(word):
                self.found.append(
                    Break(where, "field_retyped", str(old.get(word)), str(new.get(word)))
                )
        self._compare_enum(where, old, new)
        self._compare_bounds(where, old, new)
        self._compare_fields(where, old, new)
        for word in ("items", "additionalProperties"):
            if isinstance(old.get(word), Mapping) and isinstance(new.get(word), Mapping):
                self.compare(f"{where}/*", old[word], new[word])

    def _compare_fields(self, where: str, old: Schema, new: Schema) -> None:
        old_fields: Mapping[str, Schema] = old.get("properties", {})
        new_fields: Mapping[str, Schema] = new.get("properties", {})
        for name, field in old_fields.items():
            if name in new_fields:
                self.compare(f"{where}/{name}", field, new_fields[name])
            else:
                self.found.append(Break(f"{where}/{name}", "field_removed"))
        was, now = set(old.get("required", ())), set(new.get("required", ()))
        for name in now - was:
            self.found.append(Break(f"{where}/{name}", "newly_required"))
        if self.direction == "event":
            for name in (was - now) & set(new_fields):
                self.found.append(Break(f"{where}/{name}", "no_longer_required"))

    def _compare_enum(self, where: str, old: Schema, new: Schema) -> None:
        was, now = old.get("enum"), new.get("enum")
        if was == now:
            return
        if was is None or now is None:
            # Any text became a few words, or the other way round.
            self.found.append(Break(where, "field_retyped", str(was), str(now)))
            return
        if gone := set(was) - set(now):
            self.found.append(Break(where, "enum_narrowed", ", ".join(sorted(gone))))
        added = set(now) - set(was)
        if added and self.direction == "event" and not old.get(MAY_GROW):
            self.found.append(Break(where, "enum_widened", now=", ".join(sorted(added))))

    def _compare_bounds(self, where: str, old: Schema, new: Schema) -> None:
        for word, side in _BOUNDS.items():
            was, now = old.get(word), new.get(word)
            if was == now:
                continue
            # Commands may become freer; events are what readers made room for.
            is_tighter = was is None or (
                now is not None and (now < was if side == "upper" else now > was)
            )
            if is_tighter == (self.direction == "command"):
                self.found.append(Break(where, "bound_tightened", f"{word} {was}", f"{word} {now}"))

    def _compare_variants(self, where: str, old: Sequence[Schema], new: Sequence[Schema]) -> None:
        was = {_name(self.old_root, one): one for one in old}
        now = {_name(self.new_root, one): one for one in new}
        for name, variant in was.items():
            if name in now:
                self.compare(f"{where}<{name}>", variant, now[name])
            else:
                self.found.append(Break(f"{where}<{name}>", "variant_removed"))
        if self.direction == "event":
            self.found.extend(
                Break(f"{where}<{name}>", "variant_added") for name in now if name not in was
            )


def _resolved(root: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[1]
        beside = {word: value for word, value in schema.items() if word != "$ref"}
        schema = {**root["$defs"][name], **beside}
    return schema


def _variants(schema: Schema) -> list[Schema]:
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return cast("list[Schema]", list(schema[word]))
    return []


def _name(root: Schema, variant: Schema) -> str:
    if "$ref" in variant:
        return str(variant["$ref"]).rsplit("/", 1)[1]
    resolved = _resolved(root, variant)
    return str(resolved.get("const", resolved.get("type", "any")))
