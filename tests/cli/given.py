"""A proof of a rollout to one engine, signed for real."""

import base64
from datetime import UTC, datetime, timedelta

from keyturn_client.keys import EngineKeys
from keyturn_contracts.actor import engine_issuer, sign_command
from keyturn_contracts.digest import to_hex
from keyturn_contracts.ids import new_id
from keyturn_contracts.keys import SigningKey, public_jwk
from keyturn_contracts.message import Command
from keyturn_contracts.proof import Proof, ProvenLeg, Registration, SignedCommand, sign_proof
from keyturn_contracts.topics import commands_topic
from keyturn_contracts.workflow import ConfirmRotation, Reach

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def given_signed(command: Command, key: SigningKey, *, at: datetime, issuer: str) -> SignedCommand:
    value, id_, topic = command.to_json(), new_id(at), commands_topic(command.service)
    actor = sign_command(
        key,
        issuer=issuer,
        subject=issuer,
        brand="acme",
        roles=[],
        topic=topic,
        command_id=id_,
        message_type=command.type_name(),
        message_subject=command.key("acme").subject,
        value=value,
        now=at,
        epoch=1,
        number=1,
    )
    return SignedCommand(
        id=id_,
        type=command.type_name(),
        topic=topic,
        epoch=1,
        number=1,
        value=base64.b64encode(value).decode(),
        actor=actor,
        appended_at=at,
    )


def given_proof(key: SigningKey) -> bytes:
    """Return the bundle that says: engine `e1` has version 2 of `mail`."""
    engine = EngineKeys.new()
    issuer = engine_issuer("acme", "e1")
    confirmed = ConfirmRotation(
        engine_id="e1",
        account_id="mail",
        version=2,
        holds=True,
        receipt="ab" * 32,
        count=0,
        digest=to_hex(0),
    )
    registered = engine.registration(
        brand="acme", engine_id="e1", name="Engine", reach=Reach(all=True)
    )
    leg = ProvenLeg(
        engine_id="e1",
        engine_kind="confirming",
        is_holder=True,
        is_bound=False,
        count=0,
        digest=to_hex(0),
        confirmation=given_signed(confirmed, engine.sig, at=NOON, issuer=issuer),
    )
    proof = Proof(
        brand="acme",
        rollout_id="mail.2",
        account_id="mail",
        version=2,
        account_epoch=1,
        is_deletion=False,
        opened_at=NOON - timedelta(seconds=1),
        completed_at=NOON + timedelta(seconds=1),
        holders=("e1",),
        legs=(leg,),
        excused=(),
        registrations=(
            Registration(
                engine_id="e1", command=given_signed(registered, engine.sig, at=NOON, issuer="x")
            ),
        ),
        key=public_jwk(key, "sig"),
    )
    return sign_proof(proof, key)
