"""What an answer's JSON says, by the rules of a manifest."""

import json
from typing import Any

import pytest
from keyturn_contracts.probes import JsonRule, ProbeFailure

from services.credential_vault.providers.https import Answer
from services.credential_vault.providers.judging import NOTHING, Judged, holds, meaning_of

CONTENT: dict[str, Any] = {
    "ok": True,
    "no": False,
    "one": 1,
    "half": 1.5,
    "text": "abc",
    "empty": "",
    "null": None,
    "list": [{"code": 601}, []],
    "dict": {"0": "zero", "inner": {"id": 7}},
    "nothing": {},
}


def judged(content: Any = None, status: int = 200) -> Judged:
    return Judged.of(
        Answer(status=status, content=json.dumps(CONTENT if content is None else content).encode())
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("text", "abc"),
        ("null", None),
        ("list.0.code", 601),
        ("list.1", []),
        ("list.2", NOTHING),
        ("list.x", NOTHING),
        ("list.-1", NOTHING),
        ("list.\u0661", []),
        ("list.1\u00b2", NOTHING),
        ("dict.0", "zero"),
        ("dict.inner.id", 7),
        ("dict.inner.id.x", NOTHING),
        ("text.0", NOTHING),
        ("missing", NOTHING),
        ("", NOTHING),
        ("list." + "0" * 9, {"code": 601}),
        ("list." + "0" * 10, NOTHING),
        ("list." + "9" * 5000, NOTHING),
        ("dict." + "9" * 5000, NOTHING),
        ("." * 1_000_000, NOTHING),
    ],
)
def test_a_path_leads_into_objects_and_lists(path: str, expected: object) -> None:
    assert judged().find(path) == expected


@pytest.mark.parametrize(("steps", "expected"), [(32, 7), (33, NOTHING)])
def test_a_path_has_so_many_steps_and_no_more(steps: int, expected: object) -> None:
    deep: Any = 7
    for _ in range(steps):
        deep = {"in": deep}

    assert judged(deep).find(".".join(["in"] * steps)) == expected


@pytest.mark.parametrize(
    ("path", "op", "value", "expected"),
    [
        ("ok", "eq", True, True),
        ("ok", "eq", 1, False),
        ("one", "eq", True, False),
        ("one", "eq", 1, True),
        ("one", "eq", "1", False),
        ("text", "eq", "abc", True),
        ("null", "eq", None, True),
        ("missing", "eq", None, False),
        ("text", "ne", "abc", False),
        ("text", "ne", "abd", True),
        ("null", "ne", None, False),
        ("missing", "ne", None, False),
        ("null", "exists", None, True),
        ("missing", "exists", None, False),
        ("text", "nonempty", None, True),
        ("no", "nonempty", None, True),
        ("empty", "nonempty", None, False),
        ("null", "nonempty", None, False),
        ("nothing", "nonempty", None, False),
        ("list.1", "nonempty", None, False),
        ("list", "nonempty", None, True),
        ("one", "gt", 0, True),
        ("one", "gt", 1, False),
        ("half", "gt", 1, True),
        ("text", "gt", 0, False),
        ("ok", "gt", 0, False),
        ("missing", "gt", 0, False),
    ],
)
def test_a_rule_holds_or_not(path: str, op: str, value: Any, *, expected: bool) -> None:
    rule = JsonRule.model_validate({"path": path, "op": op, "value": value})

    assert holds(rule, judged()) == expected


FAILURES = tuple(
    ProbeFailure.model_validate(one)
    for one in (
        {"status": 400, "path": "error", "value": "a", "verdict": "transient"},
        {"path": "error", "value": "b", "verdict": "consent_needed"},
        {"path": "user.id", "value": None, "verdict": "credential_dead"},
        {"status": 400, "verdict": "settings_wrong"},
    )
)


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (400, {"error": "a"}, "transient"),
        (401, {"error": "a"}, "credential_dead"),
        (400, {"error": "b"}, "consent_needed"),
        (200, {"error": "b"}, "consent_needed"),
        (200, {"user": {"id": None}}, "credential_dead"),
        (200, {"user": {}}, "unknown"),
        (400, {}, "settings_wrong"),
        (418, {}, "unknown"),
        (599, {}, "transient"),
        (399, {}, "settings_wrong"),
    ],
)
def test_the_first_failure_that_fits_says_what_is_wrong(
    status: int, content: Any, expected: str
) -> None:
    assert meaning_of(judged(content, status), FAILURES) == expected
