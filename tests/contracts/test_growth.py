"""The check that contracts only grow catches each kind of break, and nothing else."""

from copy import deepcopy
from typing import Any, Literal

import pytest
from keyturn_contracts.growth import Break, Kind, breaks
from keyturn_contracts.schemas import all_schemas, as_published
from pydantic import BaseModel, ConfigDict, Field

COMMAND = "keyturn.workflow.SaveWorkflows.v1"


class Part(BaseModel):
    code: int


class Email(BaseModel):
    protocol: Literal["smtp"]


class Web(BaseModel):
    protocol: Literal["http"]


class Before(BaseModel):
    id: str
    state: Literal["open", "done"]
    mood: Literal["good", "bad"] = Field(json_schema_extra={"x-may-grow": True})
    note: str | None = Field(default=None, max_length=10)
    parts: tuple[Part, ...] = ()
    way: Email | Web | None = None


def schema(model: type[BaseModel], kind: str = "command", key: str = "x") -> dict[str, Any]:
    return {"x-message": kind, "x-key": key, **as_published(model.model_json_schema())}


def changed(kind: str, **fields: Any) -> list[tuple[str, Kind]]:
    """Compare `Before` with itself, some fields replaced (None: removed)."""
    old = schema(Before, kind)
    new = deepcopy(old)
    for name, field in fields.items():
        if field is None:
            del new["properties"][name]
            new["required"] = [one for one in new["required"] if one != name]
        else:
            new["properties"][name] = field
    return [(one.where, one.kind) for one in breaks({"M": old}, {"M": new})]


def test_nothing_changed_breaks_nobody() -> None:
    today = all_schemas()

    assert breaks(today, today) == []
    assert breaks(today, {**today, "keyturn.new.Message.v1": schema(Before)}) == []


def test_a_message_that_is_gone_is_found() -> None:
    today = all_schemas()

    rest = {name: one for name, one in today.items() if name != COMMAND}

    assert breaks(today, rest) == [Break(COMMAND, "message_removed")]


@pytest.mark.parametrize("kind", ["command", "event"])
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"note": None}, [("M/note", "field_removed")]),
        (
            {"note": None, "remark": {"type": "string", "maxLength": 10}},
            [("M/note", "field_removed")],
        ),
        ({"id": {"type": "integer"}}, [("M/id", "field_retyped")]),
        ({"id": {"type": "string", "pattern": "^a"}}, [("M/id", "field_retyped")]),
        ({"id": {"type": "string", "enum": ["a"]}}, [("M/id", "field_retyped")]),
        (
            {"state": {"type": "string", "enum": ["open"]}},
            [("M/state", "enum_narrowed")],
        ),
        ({"way": {"$ref": "#/$defs/Email"}}, [("M/way<Web>", "variant_removed")]),
        ({"parts": {"type": "array", "items": {"type": "string"}}}, None),
        ({"more": {"type": "string"}}, []),
    ],
)
def test_what_breaks_whoever_writes_or_reads(
    kind: str, fields: dict[str, Any], expected: list[tuple[str, Kind]] | None
) -> None:
    found = changed(kind, **fields)

    if expected is None:
        assert ("M/parts/*", "field_retyped") in found
    else:
        assert found == expected


@pytest.mark.parametrize("kind", ["command", "event"])
def test_a_field_that_became_required_breaks_whoever_leaves_it_out(kind: str) -> None:
    class After(Before):
        note: str = Field(max_length=10)  # pyright: ignore[reportIncompatibleVariableOverride]  the break

    old, new = schema(Before, kind), schema(After, kind)

    assert [(one.where, one.kind) for one in breaks({"M": old}, {"M": new})] == [
        ("M/note", "newly_required")
    ]


def test_a_new_field_that_is_required_breaks_whoever_does_not_know_it() -> None:
    class After(Before):
        urgency: int

    assert [one.kind for one in breaks({"M": schema(Before)}, {"M": schema(After)})] == [
        "newly_required"
    ]


def test_a_field_that_readers_rely_on_stays_required() -> None:
    old = schema(Before, "event")
    new = deepcopy(old)
    new["required"].remove("id")

    assert [one.kind for one in breaks({"M": old}, {"M": new})] == ["no_longer_required"]
    new["x-message"] = old["x-message"] = "command"
    assert breaks({"M": old}, {"M": new}) == []


def test_an_enum_of_an_event_grows_only_with_leave() -> None:
    wider = {"type": "string", "enum": ["open", "done", "lost"]}
    moods = {"type": "string", "enum": ["good", "bad", "calm"], "x-may-grow": True}

    assert changed("event", state=wider) == [("M/state", "enum_widened")]
    assert changed("command", state=wider) == []
    assert changed("event", mood=moods) == []


def test_a_variant_of_an_event_is_no_surprise_either() -> None:
    more = {"anyOf": [{"$ref": "#/$defs/Email"}, {"$ref": "#/$defs/Web"}, {"type": "integer"}]}
    old = schema(Before, "event")
    old["properties"]["way"] = {"anyOf": more["anyOf"][:2]}
    new = deepcopy(old)
    new["properties"]["way"] = more

    assert [one.kind for one in breaks({"M": old}, {"M": new})] == ["variant_added"]


@pytest.mark.parametrize(
    ("kind", "limit", "expected"),
    [
        ("command", 9, ["bound_tightened"]),
        ("command", 11, []),
        ("event", 11, ["bound_tightened"]),
        ("event", 9, []),
    ],
)
def test_a_bound_moves_only_away_from_who_has_to_keep_it(
    kind: str, limit: int, expected: list[str]
) -> None:
    class After(Before):
        note: str | None = Field(default=None, max_length=limit)

    old, new = schema(Before, kind), schema(After, kind)

    assert [one.kind for one in breaks({"M": old}, {"M": new})] == expected


def test_inside_a_part_it_is_found_as_well() -> None:
    class Changed(BaseModel):
        model_config = ConfigDict(title="Part")
        code: str

    old = schema(Before)
    new = deepcopy(old)
    new["$defs"]["Part"] = Changed.model_json_schema()

    assert [(one.where, one.kind) for one in breaks({"M": old}, {"M": new})] == [
        ("M/parts/*/code", "field_retyped")
    ]


def test_a_key_stays_the_same() -> None:
    found = breaks({"M": schema(Before, key="a")}, {"M": schema(Before, key="b")})

    assert [one.kind for one in found] == ["key_changed"]
    assert str(found[0]) == "M: key changed (was a, now b)"
