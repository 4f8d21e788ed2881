"""Records that prove nothing, make no sense or are somebody else's, at the real vault."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from keyturn_client.commands import Prepared, Signer, prepare
from keyturn_client.keys import read_signing_key
from keyturn_client.wire import Record
from keyturn_contracts.actor import sign_command
from keyturn_contracts.credential_vault import AddAccount, EditAccount, EditCredentials
from keyturn_contracts.ids import new_id
from keyturn_contracts.keys import new_signing_key
from keyturn_contracts.message import CommandRefused
from keyturn_contracts.topics import commands_topic
from keyturn_contracts.workflow import DeleteWorkflows

from tests.client.kafka import write_as
from tests.client.world import OWNER, Brand, World, applied
from tests.faults.log import kept
from tests.running_stack import RunningKafka
from tests.waiting import eventually

VAULT = commands_topic("credential-vault")


def signer_of(world: World, brand: str, **changes: Any) -> Signer:
    own = Signer(
        key=read_signing_key(world.folder / "issuer-key.json"),
        issuer="local",
        subject=OWNER,
        brand=brand,
        roles=frozenset({"administrator"}),
    )
    return replace(own, **changes)


def header(record: Record, name: str, value: bytes | None) -> Record:
    """Return the record with another header; None leaves the name with nothing."""
    headers: Any = [(one, value if one == name else old) for one, old in record.headers]
    return replace(record, headers=headers)


def without(record: Record, name: str) -> Record:
    return replace(record, headers=[one for one in record.headers if one[0] != name])


def signed_anew(signer: Signer, command: Prepared, record: Record, **changes: Any) -> Record:
    """Return the record with a signature that says something else than it should."""
    claims: dict[str, Any] = {
        "issuer": signer.issuer,
        "subject": signer.subject,
        "brand": signer.brand,
        "roles": signer.roles,
        "topic": command.topic,
        "command_id": command.id,
        "message_type": command.message_type,
        "message_subject": command.subject,
        "value": record.value,
        "now": datetime.now(UTC),
    }
    return header(record, "ce_actor", sign_command(signer.key, **(claims | changes)).encode())


def raw(brand: str, value: bytes, account: str = "mail") -> Prepared:
    """Return an `EditAccount` with any value at all."""
    return Prepared(
        id=new_id(),
        message_type=EditAccount.type_name(),
        brand=brand,
        subject=f"accounts/{account}",
        value=value,
    )


def unreadable_records(world: World, brand: str) -> dict[str, Record]:
    """Return records that must be kept as unreadable, by what is wrong with them."""
    own = signer_of(world, brand)
    stranger = signer_of(world, brand, key=new_signing_key())
    edit = prepare(EditAccount(account_id="mail", name="poisoned"), brand)
    good = own.record(edit)
    foreign = prepare(DeleteWorkflows(engine_id="e1", workflow_ids=("w1",)), brand)
    elsewhere = prepare(EditAccount(account_id="chat", name="poisoned"), brand)
    long_ago = datetime.now(UTC) + timedelta(hours=1)
    return {
        "a header that is not UTF-8": header(good, "ce_subject", b"\xff\xfe"),
        "a null header": header(good, "ce_id", None),
        "a header that is missing": without(good, "ce_brand"),
        "a header that stands twice": replace(
            good, headers=[*good.headers, ("ce_brand", brand.encode())]
        ),
        "no actor": without(good, "ce_actor"),
        "an actor that is no token": header(good, "ce_actor", b"x.y.z"),
        "a key that is not UTF-8": replace(good, key=b"\xff"),
        "no key": replace(good, key=b""),
        "another account's key": replace(good, key=f"{brand}/accounts/chat".encode()),
        "another brand's key": replace(good, key=b"rival/accounts/mail"),
        "an unknown type": header(good, "ce_type", b"keyturn.credential-vault.Explode.v1"),
        "another service's command": replace(own.record(foreign), topic=VAULT),
        "an altered value": replace(good, value=edit.value.replace(b"poisoned", b"poisomed")),
        "forged with a stranger's key": stranger.record(edit),
        "signed for another brand": signed_anew(own, edit, good, brand="rival"),
        "signed for another topic": signed_anew(own, edit, good, topic="keyturn.x.commands"),
        "signed for another account": signed_anew(own, edit, good, message_subject="accounts/z"),
        "another command's signature": header(
            good, "ce_actor", dict(own.record(elsewhere).headers)["ce_actor"]
        ),
        "an issuer that nobody knows": signed_anew(own, edit, good, issuer="nobody"),
        "a role that nobody may vouch for": signed_anew(own, edit, good, roles=["publisher"]),
        "a signature of the future": signed_anew(own, edit, good, now=long_ago),
    }


async def test_poison_is_refused_or_kept_and_its_neighbours_flow(
    world: World, brand: Brand
) -> None:
    await brand.add_account("mail", "first pass")
    kafka = RunningKafka(world.stack.plan)
    own = signer_of(world, brand.name)
    poison = unreadable_records(world, brand.name)
    neighbours = [
        prepare(EditAccount(account_id="mail", name=f"name {number}"), brand.name)
        for number in range(len(poison))
    ]
    before = await unreadable(world)

    await write_as(
        kafka,
        "backend",
        [
            record
            for one, neighbour in zip(poison.values(), neighbours, strict=True)
            for record in (one, own.record(neighbour))
        ],
    )

    for one in neighbours:
        assert applied(await brand.backend.outcome(one)).changed
    assert len(poison) >= 20
    assert await eventually(lambda: as_many(world, before + len(poison)), within=60)
    shown = await brand.backend.queries.account("mail")
    assert shown["name"] == f"name {len(poison) - 1}"


async def test_what_is_verified_and_wrong_is_answered(world: World, brand: Brand) -> None:
    await brand.add_account("mail", "first pass")
    kafka = RunningKafka(world.stack.plan)
    own = signer_of(world, brand.name)
    sealed = await brand.backend.seal("mail", brand.fields("second pass"), command_id=new_id())
    wrong = {
        "invalid": raw(brand.name, b"no JSON"),
        "invalid ": raw(brand.name, b'{"account_id":"mail","name":7}'),
        "invalid  ": raw(brand.name, b"\xff\xfe"),
        "sealed_invalid": prepare(EditCredentials(account_id="mail", sealed=sealed), brand.name),
        "sealed_invalid ": prepare(EditCredentials(account_id="mail", sealed="x.y"), brand.name),
        "account_unknown": prepare(EditAccount(account_id="nobodys", name="x"), brand.name),
        "account_exists": prepare(
            AddAccount(
                account_id="mail",
                extension="smtp-relay",
                scheme="smtp-password",
                name="Again",
                settings={},
                sealed=sealed,
            ),
            brand.name,
        ),
    }
    expired = prepare(EditAccount(account_id="mail", name="late"), brand.name)
    stale = signed_anew(
        own, expired, own.record(expired), now=datetime.now(UTC) - timedelta(hours=1)
    )

    await write_as(kafka, "backend", [stale, *(own.record(one) for one in wrong.values())])

    for reason, command in {"expired": expired, **wrong}.items():
        found = await brand.backend.outcome(command)
        assert isinstance(found, CommandRefused), reason
        assert found.reason == reason.strip()
        assert "second pass" not in found.message
    # Sent again in time it takes effect, and sent once more it does not.
    for _ in range(2):
        await write_as(kafka, "backend", [own.record(expired)])
        await eventually(lambda: is_named(brand, "late"))


async def test_another_brands_account_is_nobodys(world: World, brand: Brand) -> None:
    await brand.add_account("mail", "first pass")
    rival = signer_of(world, "rival")
    edit = prepare(EditAccount(account_id="mail", name="stolen"), "rival")
    other = signer_of(world, brand.name, subject="eve")
    by_eve = prepare(EditAccount(account_id="mail", name="stolen"), brand.name)

    await write_as(
        RunningKafka(world.stack.plan), "backend", [rival.record(edit), other.record(by_eve)]
    )

    found = await brand.backend.outcome(by_eve)
    assert isinstance(found, CommandRefused)
    assert found.reason == "not_an_owner"
    assert await is_named(brand, "Mail")


async def is_named(brand: Brand, name: str) -> bool:
    return (await brand.backend.queries.account("mail"))["name"] == name


async def unreadable(world: World) -> int:
    """Return how many records the vault has kept as unreadable."""
    return int(await kept(world, "credential-vault", "SELECT count(*) FROM unreadable"))


async def as_many(world: World, number: int) -> bool:
    return await unreadable(world) == number
