"""The same data and questions for OpenFGA, in its own words."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from keyturn_contracts.access import EVERYONE
from keyturn_contracts.rights import Facts

from deploy.bench.access.asking import Server
from deploy.bench.access.data import BRAND, Data, Moments, Question
from deploy.bench.access.in_process import WrongAnswerError, check
from deploy.bench.access.openfga_process import MOST_CHECKS, Process
from deploy.bench.access.over_http import Asked

_MOST_WRITTEN = 100
"""Tuples in one request: OpenFGA's own bound."""
_LOOKED_AT = 1000
"""How many of a crowd are asked about after a change."""

Tuple = dict[str, Any]


def _this(*kinds: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"this": {}}, {"directly_related_user_types": list(kinds)}


def _is(relation: str) -> dict[str, Any]:
    return {"computedUserset": {"relation": relation}}


def _from(tupleset: str, relation: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = {"tupleset": {"relation": tupleset}, "computedUserset": {"relation": relation}}
    return {"tupleToUserset": found}, {}


def _all_of(*relations: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"intersection": {"child": list(relations)}}, {}


def _type(name: str, **relations: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": name,
        "relations": {relation: how for relation, (how, _) in relations.items()},
        "metadata": {"relations": {relation: whom for relation, (_, whom) in relations.items()}},
    }


_MEMBER: dict[str, Any] = {"type": "member"}
_ALL: dict[str, Any] = {"type": "member", "wildcard": {}}
_UNTIL: dict[str, Any] = {"condition": "holds"}
_OWNER_OR_USER = {"union": {"child": [_is("owner"), _is("user")]}}
_MODEL: dict[str, Any] = {
    "schema_version": "1.1",
    "type_definitions": [
        {"type": "member"},
        _type("brand", listed=_this(_MEMBER)),
        _type("extension", enabled=_this(_MEMBER, _ALL)),
        _type(
            "account",
            brand=_this({"type": "brand"}),
            extension=_this({"type": "extension"}),
            owner=_this(_MEMBER, _MEMBER | _UNTIL),
            user=_this(_MEMBER, _ALL, _MEMBER | _UNTIL, _ALL | _UNTIL),
            listed=_from("brand", "listed"),
            enabled=_from("extension", "enabled"),
            share=_all_of(_is("owner"), _is("listed")),
            use=_all_of(_OWNER_OR_USER, _is("listed"), _is("enabled")),
        ),
    ],
    "conditions": {
        "holds": {
            "name": "holds",
            "expression": "now < until",
            "parameters": {
                "now": {"type_name": "TYPE_NAME_TIMESTAMP"},
                "until": {"type_name": "TYPE_NAME_TIMESTAMP"},
            },
        }
    },
}


class OpenFga:
    """One of its processes, with a store that holds the brand's data."""

    def __init__(self, server: Server, process: Process, store: str, model: str) -> None:
        self.server = server
        self.process = process
        self._store = f"/stores/{store}"
        self._model = model

    @classmethod
    async def make_store(cls, server: Server, process: Process) -> "OpenFga":
        store = (await _made(server, "/stores", {"name": BRAND}))["id"]
        model = await _made(server, f"/stores/{store}/authorization-models", _MODEL)
        return cls(server, process, store, model["authorization_model_id"])

    def seen_by(self, server: Server, process: Process) -> "OpenFga":
        """Return the same store, asked at another process."""
        return OpenFga(server, process, self._store.removeprefix("/stores/"), self._model)

    async def write(self, tuples: Iterable[Tuple]) -> None:
        await self._change("writes", tuples)

    async def delete(self, tuples: Iterable[Tuple]) -> None:
        await self._change("deletes", tuples)

    def asked_as(self, name: str, expected: dict[Question, Any]) -> Asked:
        return Asked(
            name=name,
            server=self.server,
            path=lambda size: f"{self._store}/{'check' if size == 1 else 'batch-check'}",
            encode=self._encode,
            decode=_decode,
            expected={question: right.allowed for question, right in expected.items()},
            cpu_seconds=self.process.cpu_seconds,
        )

    async def allows(self, question: Question) -> bool:
        found = await self.server.post(f"{self._store}/check", self._encode([question]))
        return bool(_decode(found)[0])

    async def check_all(self, account_id: str, members: Sequence[str], *, allowed: bool) -> None:
        for at in range(0, min(len(members), _LOOKED_AT), MOST_CHECKS):
            some = members[at : min(at + MOST_CHECKS, _LOOKED_AT)]
            questions: list[Question] = [(one, "use", account_id) for one in some]
            if len(questions) == 1:
                check("openfga", questions, [allowed], [await self.allows(questions[0])])
                continue
            body = self._encode(questions)
            found = await self.server.post(f"{self._store}/batch-check", body)
            check("openfga", questions, [allowed] * len(some), _decode(found))

    async def _change(self, what: str, tuples: Iterable[Tuple]) -> None:
        every = list(tuples)
        bodies = [
            json.dumps(
                {
                    what: {"tuple_keys": every[at : at + _MOST_WRITTEN]},
                    "authorization_model_id": self._model,
                }
            ).encode()
            for at in range(0, len(every), _MOST_WRITTEN)
        ]
        await self.server.busily(f"{self._store}/write", bodies)

    def _encode(self, questions: Sequence[Question]) -> bytes:
        context = {"now": datetime.now(UTC).isoformat()}
        asked = [
            {"tuple_key": tuple_of(member, action, f"account:{account_id}"), "context": context}
            for member, action, account_id in questions
        ]
        body: dict[str, Any] = {"authorization_model_id": self._model}
        if len(asked) == 1:
            return json.dumps(body | asked[0]).encode()
        checks = [one | {"correlation_id": str(number)} for number, one in enumerate(asked)]
        return json.dumps(body | {"checks": checks}).encode()


def tuple_of(member: str, relation: str, object_: str, until: datetime | None = None) -> Tuple:
    found: Tuple = {"user": f"member:{member}", "relation": relation, "object": object_}
    if until is not None:
        found["condition"] = {"name": "holds", "context": {"until": until.isoformat()}}
    return found


def tuples_of(data: Data, moments: Moments) -> Iterator[Tuple]:
    """Yield the whole brand's, with what the leavers still have."""
    facts: Facts = data.facts(moments)
    brand = f"brand:{BRAND}"
    for member in facts.members:
        yield tuple_of(member, "listed", brand)
    for account_id, account in facts.accounts.items():
        object_ = f"account:{account_id}"
        yield {"user": brand, "relation": "brand", "object": object_}
        extension = f"extension:{account.extension}"
        yield {"user": extension, "relation": "extension", "object": object_}
        for member, grant in facts.grants[account_id].items():
            yield tuple_of(member, grant.level, object_, grant.until)
    for slug, installation in facts.installations.items():
        if installation.state == "installed":
            enabled = facts.enablements[slug] if installation.party == "third" else {EVERYONE}
            for member in enabled:
                yield tuple_of(member, "enabled", f"extension:{slug}")
    for member, account_id in data.leaving():
        yield tuple_of(member, "user", f"account:{account_id}")


async def measure_revoking(store: OpenFga, data: Data) -> list[float]:
    """Return how many milliseconds it takes to delete a tuple and to be told that it is gone."""
    taken: list[float] = []
    for member, account_id in data.leaving():
        question: Question = (member, "use", account_id)
        if not await store.allows(question):
            raise WrongAnswerError(f"openfga does not let {member} use {account_id}.")
        began = perf_counter()
        await store.delete([tuple_of(member, "user", f"account:{account_id}")])
        if await store.allows(question):
            raise WrongAnswerError(
                f"openfga lets {member} use {account_id} after that was deleted."
            )
        taken.append((perf_counter() - began) * 1000)
    return taken


async def measure_bulk(store: OpenFga, data: Data) -> dict[str, float]:
    """Return how many seconds it takes to give the crowd its account, and to take it away."""
    object_ = f"account:{data.crowded}"
    tuples = [tuple_of(member, "user", object_) for member in data.crowd]
    taken: dict[str, float] = {}
    for what, change in (("grant", store.write), ("revoke", store.delete)):
        began = perf_counter()
        await change(tuples)
        taken[f"{what}_openfga"] = perf_counter() - began
        await store.check_all(data.crowded, data.crowd, allowed=what == "grant")
    return taken


async def _made(server: Server, path: str, body: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = json.loads(await server.post(path, json.dumps(body).encode()))
    return found


def _decode(answer: bytes) -> list[bool]:
    said = json.loads(answer)
    if "result" not in said:
        return [bool(said.get("allowed"))]
    results = said["result"]
    return [bool(results[str(number)].get("allowed")) for number in range(len(results))]
