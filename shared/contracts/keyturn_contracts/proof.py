"""The proof that a rollout is complete: a bundle that anyone can check offline."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, TypeVar

from joserfc import jws
from joserfc.errors import JoseError
from pydantic import AwareDatetime, ValidationError

from keyturn_contracts.actor import ActorError, engine_issuer, verify_command
from keyturn_contracts.ids import Hex256, Id, RolloutId
from keyturn_contracts.keys import (
    InvalidKeyError,
    Jwks,
    PublicJwk,
    SigningKey,
    algorithm_of,
    public_jwk,
)
from keyturn_contracts.message import Command, Part
from keyturn_contracts.registration import proves_possession
from keyturn_contracts.topics import commands_topic
from keyturn_contracts.workflow import (
    ConfirmRotation,
    EngineKind,
    OverrideRollout,
    RegisterEngine,
    RetireEngine,
)

PROOF_TYPE = "keyturn-proof+jwt"
FORMAT = "keyturn-proof/1"

C = TypeVar("C", bound=Command)


class SignedCommand(Part):
    """A command verbatim: everything that its signature covers, and when the broker appended it."""

    id: str
    type: str
    topic: str
    epoch: int | None = None
    number: int | None = None
    value: str
    """The record's value, in base64."""
    actor: str
    """The compact JWS that stood in `ce_actor`."""
    appended_at: AwareDatetime


class Registration(Part):
    """How an engine came in: the command holds its keys and its proof of possession."""

    engine_id: Id
    command: SignedCommand


class Excuse(Part):
    """An engine that the rollout does not wait for, because someone with the right said so."""

    engine_id: Id
    by: str
    reason: str
    command: SignedCommand
    """`OverrideRollout` or `RetireEngine`. Its signature is by an issuer of the installation."""


class ProvenLeg(Part):
    """One engine, and why it counts as done."""

    engine_id: Id
    engine_kind: EngineKind
    is_holder: bool
    """It fetched a version that was not retired when the rollout completed."""
    is_bound: bool
    """It had an allowed binding of the account then."""
    count: int | None = None
    digest: Hex256 | None = None
    """What the record said of its bindings when it confirmed."""
    confirmation: SignedCommand | None = None
    settlement: SignedCommand | None = None
    """A later confirmation of an earlier version: the last word on what failed."""
    lease_until: AwareDatetime | None = None
    """Of a leasing engine: the end of its last lease on an older version, as the vault says."""


class Proof(Part):
    """Everything that has to be so, and who signed for it."""

    format: Literal["keyturn-proof/1"] = FORMAT
    brand: str
    rollout_id: RolloutId
    account_id: Id
    version: int
    account_epoch: int
    is_deletion: bool
    """The rotation was to nothing: each engine confirms that it holds no credential any more."""
    opened_at: AwareDatetime
    completed_at: AwareDatetime
    holders: tuple[Id, ...]
    """Every engine that fetched a version which is not retired yet, as the vault last said."""
    legs: tuple[ProvenLeg, ...]
    excused: tuple[Excuse, ...]
    registrations: tuple[Registration, ...]
    key: PublicJwk
    """The workflow service's proof key: pin it by what `GET /v1/proof-keys` published."""
    signature: str = ""
    """A compact JWS. It names the SHA-256 of the bundle without this field, written as RFC 8785
    says: sorted keys, no blanks, UTF-8."""


@dataclass(frozen=True, slots=True)
class ProofVerdict:
    """What a check found. Without problems and pinned, the rollout was complete as it says."""

    problems: tuple[str, ...]
    is_pinned: bool
    """Signed by a key of the set that the checker brought along."""
    proof: Proof | None = None

    @property
    def is_consistent(self) -> bool:
        return not self.problems


def sign_proof(proof: Proof, key: SigningKey) -> bytes:
    """Return the bundle's bytes, signed; `key` is named in it."""
    content = proof.model_copy(update={"key": public_jwk(key, "sig")}).model_dump(
        mode="json", exclude_none=True, exclude={"signature"}
    )
    header = {"alg": algorithm_of(key), "typ": PROOF_TYPE, "kid": key.thumbprint()}
    claims = {"sha256": sha256(_canonical(content)).hexdigest()}
    signature = jws.serialize_compact(
        header, json.dumps(claims), key, algorithms=[algorithm_of(key)]
    )
    return _canonical({**content, "signature": signature})


def check(bundle: bytes, jwks: Jwks | None) -> ProofVerdict:
    """Verify a bundle again, offline. Every problem is a sentence that names what is wrong.

    Without `jwks` the bundle's own key is used: then it can only be consistent, not pinned.
    """
    try:
        content: Any = json.loads(bundle)
        proof = Proof.model_validate(content)
    except (ValueError, ValidationError, RecursionError):
        unknown = "The file is no proof bundle of a kind that is known here."
        return ProofVerdict((unknown,), is_pinned=False)
    problems: list[str] = []
    is_pinned = False
    try:
        key = proof.key.to_key()
    except InvalidKeyError:
        problems.append("The proof key in the bundle is no valid key.")
    else:
        if not _is_signed(content, proof.signature, key):
            problems.append("The signature of the bundle is wrong: its content was altered.")
        is_pinned = jwks is not None and key.thumbprint() in jwks.by_id()
        if jwks is not None and not is_pinned:
            problems.append("The bundle is signed by a key that is not in the given key set.")
    problems += _problems_of(proof)
    return ProofVerdict(tuple(problems), is_pinned=is_pinned and not problems, proof=proof)


def read_value(command: SignedCommand, kind: type[C]) -> C | None:
    """Return what a signed command says, or None where it is no such command."""
    try:
        value = base64.b64decode(command.value, validate=True)
        return kind.model_validate_json(value) if command.type == kind.type_name() else None
    except (ValueError, ValidationError):
        return None


def _canonical(content: Mapping[str, Any]) -> bytes:
    # There are no floats in it, and its keys are ASCII: this is what RFC 8785 asks for.
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="surrogatepass")


def _is_signed(content: Mapping[str, Any], signature: str, key: SigningKey) -> bool:
    covered = _canonical({name: value for name, value in content.items() if name != "signature"})
    try:
        verified = jws.deserialize_compact(signature.encode(), key, algorithms=[algorithm_of(key)])
        claims = json.loads(verified.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        return False
    return verified.headers().get("typ") == PROOF_TYPE and (
        claims == {"sha256": sha256(covered).hexdigest()}
    )


def _problems_of(proof: Proof) -> Iterator[str]:
    if proof.rollout_id != f"{proof.account_id}.{proof.version}":
        yield f"The rollout {proof.rollout_id} is not that of version {proof.version}."
    if proof.completed_at < proof.opened_at:
        yield "The rollout completed before it was opened."
    legs = [one.engine_id for one in proof.legs]
    excused = [one.engine_id for one in proof.excused]
    for engine_id in sorted({one for one in legs if legs.count(one) > 1}):
        yield f"Engine {engine_id} is named twice."
    for engine_id in sorted(set(proof.holders) - set(legs) - set(excused)):
        yield f"Engine {engine_id} holds credentials of the account and is not accounted for."
    registrations = {one.engine_id: one.command for one in proof.registrations}
    for leg in proof.legs:
        yield from _problems_of_leg(proof, leg, registrations.get(leg.engine_id))
    for excuse in proof.excused:
        if not _is_excused(proof, excuse):
            yield f"Nothing in the bundle excuses engine {excuse.engine_id}."


def _problems_of_leg(
    proof: Proof, leg: ProvenLeg, registration: SignedCommand | None
) -> Iterator[str]:
    registered = _registered(proof, leg.engine_id, registration)
    if isinstance(registered, str):
        yield registered
    elif registered.engine_kind != leg.engine_kind:
        yield f"Engine {leg.engine_id} was not registered as {leg.engine_kind}."
    elif leg.engine_kind == "leasing":
        yield from _problems_of_leasing(proof, leg)
    else:
        yield from _problems_of_confirming(proof, leg, registered.sig)


def _problems_of_leasing(proof: Proof, leg: ProvenLeg) -> Iterator[str]:
    if leg.lease_until is not None and leg.lease_until > proof.completed_at:
        yield f"The lease of engine {leg.engine_id} had not ended when the rollout completed."


def _registered(
    proof: Proof, engine_id: str, command: SignedCommand | None
) -> RegisterEngine | str:
    """Return how an engine was registered, or what is wrong with that."""
    if command is None:
        return f"The registration of engine {engine_id} is missing."
    registered = read_value(command, RegisterEngine)
    if registered is None or registered.engine_id != engine_id:
        return f"What stands as the registration of engine {engine_id} is another message."
    if not proves_possession(
        registered.proof,
        brand=proof.brand,
        engine_id=engine_id,
        sig=registered.sig,
        enc=registered.enc,
    ):
        return f"Engine {engine_id} was registered without a proof of possession of its keys."
    return registered


def _problems_of_confirming(proof: Proof, leg: ProvenLeg, sig: PublicJwk) -> Iterator[str]:
    name = f"The confirmation of engine {leg.engine_id}"
    if leg.confirmation is None:
        yield f"{name} is missing."
        return
    confirmed = _confirmed(proof, leg.engine_id, leg.confirmation, sig)
    if isinstance(confirmed, str):
        yield f"{name} {confirmed}"
        return
    for problem in _problems_of_content(proof, leg, confirmed):
        yield f"{name} {problem}"
    last_word: ConfirmRotation | str = confirmed
    if leg.settlement is not None:
        last_word = _confirmed(proof, leg.engine_id, leg.settlement, sig)
        if isinstance(last_word, str):
            yield f"{name} was settled by one that {last_word}"
            return
        if _place_of(leg.settlement) <= _place_of(leg.confirmation):
            yield f"{name} was settled by one that came before it."
        if leg.settlement.appended_at > proof.completed_at:
            yield f"{name} was settled by one that came after the rollout completed."
    if last_word.failed_count:
        yield f"{name} says that {last_word.failed_count} of its workflows failed."


def _place_of(command: SignedCommand) -> tuple[int, int]:
    """Return where it stands in its engine's log, which the engine has signed; its time is not."""
    return command.epoch or 0, command.number or 0


def _problems_of_content(proof: Proof, leg: ProvenLeg, confirmed: ConfirmRotation) -> Iterator[str]:
    if confirmed.version < proof.version:
        yield f"is for version {confirmed.version}, which is older than {proof.version}."
    if (confirmed.count, confirmed.digest) != (leg.count, leg.digest):
        yield "is about another list than the one on record: count or digest differ."
    if proof.is_deletion and confirmed.holds:
        yield "says that it still holds credentials of the deleted account."
    if confirmed.holds and confirmed.receipt is None:
        yield "has no receipt."
    if leg.confirmation is not None and leg.confirmation.appended_at > proof.completed_at:
        yield "came after the rollout completed."


def _confirmed(
    proof: Proof, engine_id: str, command: SignedCommand, sig: PublicJwk
) -> ConfirmRotation | str:
    """Return what an engine confirmed, or what is wrong with its signature or its content."""
    problem = _problem_of_signature(proof, engine_id, command, sig)
    if problem is not None:
        return problem
    confirmed = read_value(command, ConfirmRotation)
    if confirmed is None:
        return "is another message."
    if (confirmed.engine_id, confirmed.account_id) != (engine_id, proof.account_id):
        return "is about another engine or another account."
    return confirmed


def _problem_of_signature(
    proof: Proof, engine_id: str, command: SignedCommand, sig: PublicJwk
) -> str | None:
    if command.topic != commands_topic(ConfirmRotation.service):
        return "was sent to another topic."
    try:
        key = sig.to_key()
        actor = verify_command(
            command.actor,
            {key.thumbprint(): key},
            brand=proof.brand,
            topic=command.topic,
            command_id=command.id,
            message_type=command.type,
            message_subject=f"engines/{engine_id}",
            value=base64.b64decode(command.value, validate=True),
            appended_at=command.appended_at,
            epoch=command.epoch,
            number=command.number,
        )
    except (ActorError, InvalidKeyError, ValueError) as error:
        return f"is not signed by the engine's registered key for just this: {error}."
    if actor.issuer != engine_issuer(proof.brand, engine_id):
        return "is signed in another name."
    return None


def _is_excused(proof: Proof, excuse: Excuse) -> bool:
    if not _covers(excuse, proof.brand):
        return False
    override = read_value(excuse.command, OverrideRollout)
    if override is not None:
        is_of_it = (override.rollout_id, override.reason) == (proof.rollout_id, excuse.reason)
        return is_of_it and excuse.engine_id in override.engines
    retirement = read_value(excuse.command, RetireEngine)
    return retirement is not None and (
        (retirement.engine_id, retirement.reason) == (excuse.engine_id, excuse.reason)
    )


def _covers(excuse: Excuse, brand: str) -> bool:
    """Tell whether the claims of whoever signed it are about this very command and author."""
    command = excuse.command
    try:
        claims = json.loads(jws.extract_compact(command.actor.encode()).payload)
        value = base64.b64decode(command.value, validate=True)
        expected = {
            "brand": brand,
            "aud": command.topic,
            "jti": command.id,
            "type": command.type,
            "sub": excuse.by,
            "sha256": sha256(value).hexdigest(),
        }
        return all(claims[name] == one for name, one in expected.items())
    except (JoseError, ValueError, KeyError, TypeError, RecursionError):
        return False
