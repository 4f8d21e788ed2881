"""The proof of a rollout: what is in it, and that nothing in it can be altered unseen."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from keyturn_contracts.keys import jwks_of, new_signing_key, public_jwk
from keyturn_contracts.message import Command
from keyturn_contracts.proof import Proof, SignedCommand, check, sign_proof
from keyturn_contracts.workflow import OverrideRollout, RetireEngine

from services.workflow.rules.account import Account
from services.workflow.rules.engine import Retirement
from services.workflow.rules.evidence import verbatim
from services.workflow.rules.holding import Holding
from services.workflow.rules.proof import Evidence, prove
from services.workflow.rules.rollout import Excuse, Leg, count_legs, open_rollout
from tests.workflow.given import NOON, GivenEngine, by_person
from tests.workflow.test_rollout import MAIL, RHYTHM

KEY, OTHER_KEY = new_signing_key(), new_signing_key()
E1, E2, E4, E5 = (GivenEngine(f"e{one}") for one in (1, 2, 4, 5))
E3 = GivenEngine("e3", kind="leasing")
TASKS = {"w1": ("a", "b")}
DONE = NOON + timedelta(minutes=1)
OVERRIDE = by_person(OverrideRollout(rollout_id="mail.2", engines=("e4",), reason="Lost."))
RETIRE = by_person(RetireEngine(engine_id="e5", reason="Sold."))
CONFIRMED = Holding(count=2, allowed_count=2, confirmed_version=2, confirmed_holds=True, digest=1)


@dataclass
class Case:
    """The world that a proof is made of; a test changes one thing."""

    account: Account
    legs: list[Leg]
    evidence: dict[str, Evidence]
    completed_at: datetime = DONE

    def prove(self) -> bytes:
        rollout = open_rollout(self.account, self.legs, NOON, RHYTHM).rollout
        excuse = Excuse(by="root", reason="Lost.", command=verbatim(OVERRIDE))
        rollout = replace(rollout, excused={"e4": excuse})
        return prove(
            rollout,
            self.account,
            self.legs,
            count_legs(rollout, self.account, self.legs, DONE),
            brand="acme",
            evidence=self.evidence,
            registrations={one.id: verbatim(one.registered()) for one in (E1, E2, E3, E4, E5)},
            key=KEY,
            now=self.completed_at,
        )


def given_evidence(engine: GivenEngine, version: int = 2, **changes: object) -> Evidence:
    command = engine.confirmation(version, TASKS, **changes)
    return Evidence(
        confirmation=verbatim(engine.at(command, 1, 5)),
        settlement=None,
        count=command.count,
        digest=command.digest,
    )


def given_case() -> Case:
    """Two engines confirmed, one leases, one was excused, one was retired."""
    leased = NOON + timedelta(seconds=30)
    legs = [
        Leg(engine_id=one, kind="confirming", is_holder=True, is_bound=True, holding=CONFIRMED)
        for one in ("e1", "e2")
    ]
    retirement = Retirement(by="root", reason="Sold.", command=verbatim(RETIRE))
    other = replace(legs[0], holding=Holding())
    legs += [
        replace(other, engine_id="e3", kind="leasing"),
        replace(other, engine_id="e4"),
        replace(other, engine_id="e5", retirement=retirement),
    ]
    holders = dict.fromkeys(("e1", "e2", "e4", "e5")) | {"e3": leased}
    return Case(
        replace(MAIL, holders=holders), legs, {"e1": given_evidence(E1), "e2": given_evidence(E2)}
    )


def altered(change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return a bundle with one change, signed again: as a lying service would."""
    content = json.loads(given_case().prove())
    change(content)
    return sign_proof(Proof.model_validate(content), KEY)


def test_an_outsider_can_check_a_proof_with_the_published_keys() -> None:
    bundle = given_case().prove()

    verdict = check(bundle, jwks_of([OTHER_KEY, KEY], "sig"))

    assert (verdict.problems, verdict.is_pinned, verdict.is_consistent) == ((), True, True)
    assert verdict.proof is not None
    assert [one.engine_id for one in verdict.proof.legs] == ["e1", "e2", "e3"]
    assert [(one.engine_id, one.by) for one in verdict.proof.excused] == [
        ("e4", "root"),
        ("e5", "root"),
    ]


def test_without_the_keys_a_proof_is_consistent_and_not_pinned() -> None:
    verdict = check(given_case().prove(), None)

    assert (verdict.problems, verdict.is_pinned) == ((), False)


def test_a_proof_by_a_key_that_was_not_published_is_not_believed() -> None:
    verdict = check(given_case().prove(), jwks_of([OTHER_KEY], "sig"))

    assert not verdict.is_consistent
    assert not verdict.is_pinned


@pytest.mark.parametrize("bundle", [b"", b"{}", b"[1]", b"\xff", b"{" * 100_000])
def test_what_is_no_proof_is_told_so(bundle: bytes) -> None:
    verdict = check(bundle, None)

    assert (len(verdict.problems), verdict.proof) == (1, None)


@pytest.mark.parametrize("name", ["opened_at", "completed_at"])
def test_a_time_that_is_none_everywhere_is_told_so(name: str) -> None:
    content = json.loads(given_case().prove())
    content[name] = "2026-01-01T00:00:00"

    verdict = check(json.dumps(content).encode(), None)

    assert (len(verdict.problems), verdict.proof) == (1, None)


@pytest.mark.parametrize("name", sorted(Proof.model_fields))
def test_every_part_of_a_bundle_is_covered_by_its_signature(name: str) -> None:
    content = json.loads(given_case().prove())
    content.pop(name)
    content[f"x_{name}"] = 1

    assert not check(json.dumps(content).encode(), None).is_consistent


def test_what_nobody_knows_in_a_bundle_is_covered_too() -> None:
    content = json.loads(given_case().prove())
    assert check(json.dumps(content, indent=2).encode(), None).is_consistent

    content["legs"][0]["note"] = "added"
    assert not check(json.dumps(content).encode(), None).is_consistent


def lies() -> dict[str, tuple[Callable[[dict[str, Any]], None], str]]:
    """Return what a service could claim, and what gives it away."""
    e1 = given_evidence(E1).confirmation

    def confirmation(command: SignedCommand) -> Callable[[dict[str, Any]], None]:
        return lambda b: b["legs"][0].update(confirmation=command.model_dump(mode="json"))

    def on_record(version: int = 2, **changes: object) -> Callable[[dict[str, Any]], None]:
        evidence = given_evidence(E1, version, **changes)

        def change(bundle: dict[str, Any]) -> None:
            confirmation(evidence.confirmation)(bundle)
            bundle["legs"][0].update(count=evidence.count, digest=evidence.digest)

        return change

    def value(command: Command) -> str:
        return base64.b64encode(command.to_json()).decode()

    foreign = verbatim(by_person(OVERRIDE.command, brand="rival"))
    later = (DONE + timedelta(seconds=1)).isoformat()
    failed = [{"workflow_id": "w1", "reason": "No."}]
    forged = e1.model_copy(update={"value": value(E1.confirmation(2, {}))})
    return {
        "a version": (on_record(1), "older than 2"),
        "a failure": (on_record(failed=failed, failed_count=1), "1 of its workflows failed"),
        "another account": (on_record(account_id="chat"), "another account"),
        "no receipt": (on_record(receipt=None), "no receipt"),
        "a count": (lambda b: b["legs"][0].update(count=7), "count or digest differ"),
        "a digest": (lambda b: b["legs"][0].update(digest="0" * 64), "count or digest differ"),
        "a value": (confirmation(forged), "not signed by"),
        "an id": (confirmation(e1.model_copy(update={"id": "x"})), "not signed by"),
        "a number": (confirmation(e1.model_copy(update={"number": 6})), "not signed by"),
        "a topic": (confirmation(e1.model_copy(update={"topic": "x"})), "another topic"),
        "a kind": (lambda b: b["legs"][0].update(engine_kind="leasing"), "e1 was not registered"),
        "base64": (confirmation(e1.model_copy(update={"value": "é"})), "not signed by"),
        "another engine's": (confirmation(given_evidence(E2).confirmation), "not signed by"),
        "a time": (
            confirmation(e1.model_copy(update={"appended_at": NOON + timedelta(days=1)})),
            "not signed by",
        ),
        "another message": (
            confirmation(verbatim(E1.at(E1.begin().command, 1, 5))),
            "is another message",
        ),
        "nothing confirmed": (lambda b: b["legs"][0].pop("confirmation"), "e1 is missing"),
        "a forgotten leg": (lambda b: b["legs"].pop(0), "e1 holds credentials"),
        "a leg twice": (lambda b: b["legs"].append(b["legs"][0]), "e1 is named twice"),
        "no registration": (lambda b: b["registrations"].pop(0), "registration of engine e1"),
        "another registration": (
            lambda b: b["registrations"][0].update(command=b["registrations"][1]["command"]),
            "registration of engine e1 is another",
        ),
        "a stolen registration": (
            lambda b: b.update(brand="rival"),
            "e1 was registered without a proof of possession",
        ),
        "a lease": (lambda b: b["legs"][2].update(lease_until=later), "lease of engine e3"),
        "an excuse": (lambda b: b["excused"][0].update(engine_id="e2"), "excuses engine e2"),
        "an altered excuse": (
            lambda b: b["excused"][0]["command"].update(
                value=value(OVERRIDE.command.model_copy(update={"reason": "Other."}))
            ),
            "excuses engine e4",
        ),
        "another author": (lambda b: b["excused"][0].update(by="ada"), "excuses engine e4"),
        "another reason": (lambda b: b["excused"][0].update(reason="x"), "excuses engine e4"),
        "another brand's excuse": (
            lambda b: b["excused"][0].update(command=foreign.model_dump(mode="json")),
            "excuses engine e4",
        ),
        "another's retirement": (
            lambda b: b["excused"][1].update(engine_id="e9"),
            "excuses engine e9",
        ),
        "an earlier end": (
            lambda b: b.update(completed_at=(NOON - timedelta(seconds=1)).isoformat()),
            "before it was opened",
        ),
        "an earlier end than a lease's": (
            lambda b: b.update(completed_at=NOON.isoformat(), opened_at=NOON.isoformat()),
            "lease of engine e3",
        ),
        "a later confirmation": (
            confirmation(
                verbatim(E1.at(E1.confirmation(2, TASKS), 1, 5, at=DONE + timedelta(seconds=1)))
            ),
            "came after the rollout completed",
        ),
        "another version": (lambda b: b.update(version=3), "is not that of version 3"),
        "a deletion": (lambda b: b.update(is_deletion=True), "still holds credentials"),
    }


@pytest.mark.parametrize(("change", "told"), lies().values(), ids=lies())
def test_a_lie_is_named_even_when_the_service_signs_it(
    change: Callable[[dict[str, Any]], None], told: str
) -> None:
    verdict = check(altered(change), jwks_of([KEY], "sig"))

    assert any(told in one for one in verdict.problems), verdict.problems
    assert not verdict.is_pinned


def test_a_failure_that_a_later_confirmation_settled_is_proven_with_both() -> None:
    case = given_case()
    failed = [{"workflow_id": "w1", "reason": "No."}]
    first = given_evidence(E1, failed=failed, failed_count=1)
    settled = verbatim(E1.at(E1.confirmation(1, TASKS), 1, 6, at=NOON + timedelta(seconds=1)))
    case.evidence["e1"] = replace(first, settlement=settled)
    assert check(case.prove(), None).is_consistent

    case.evidence["e1"] = first
    assert "failed" in check(case.prove(), None).problems[0]
    earlier = verbatim(E1.at(E1.confirmation(1, TASKS), 1, 4, at=NOON + timedelta(seconds=1)))
    case.evidence["e1"] = replace(first, settlement=earlier)
    assert "before it" in check(case.prove(), None).problems[0]
    # The broker's clock may be set back: the engine's own numbers say what came first.
    clock = verbatim(E1.at(E1.confirmation(1, TASKS), 1, 6, at=NOON - timedelta(seconds=1)))
    case.evidence["e1"] = replace(first, settlement=clock)
    assert check(case.prove(), None).is_consistent
    late = verbatim(E1.at(E1.confirmation(1, TASKS), 1, 6, at=DONE + timedelta(seconds=1)))
    case.evidence["e1"] = replace(first, settlement=late)
    assert "after the rollout" in check(case.prove(), None).problems[0]


def test_a_rotation_to_nothing_is_proven_by_letting_go() -> None:
    case = given_case()
    case.account = replace(case.account, state="deleted")
    case.evidence = {
        "e1": given_evidence(E1, holds=False, receipt=None),
        "e2": given_evidence(E2, holds=False, receipt=None),
    }
    case.legs = [
        replace(one, holding=replace(one.holding, confirmed_holds=False)) for one in case.legs
    ]

    verdict = check(case.prove(), None)

    assert verdict.problems == ()
    assert verdict.proof is not None
    assert verdict.proof.is_deletion


def test_a_large_proof_can_be_signed_and_checked() -> None:
    case = given_case()
    content = Proof.model_validate_json(case.prove())
    many = content.excused * 200
    bundle = sign_proof(content.model_copy(update={"excused": many}), KEY)

    assert len(bundle) > 200_000
    assert check(bundle, jwks_of([KEY], "sig")).is_pinned


def test_the_proof_key_in_a_bundle_is_public() -> None:
    content = json.loads(given_case().prove())

    assert content["key"] == public_jwk(KEY, "sig").model_dump(mode="json", exclude_none=True)
