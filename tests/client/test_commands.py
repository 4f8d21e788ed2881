"""Commands: the same bytes each time, signed anew; kept until their outcome has come."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from keyturn_client.commands import Prepared, Signer, prepare
from keyturn_client.kept import Kept
from keyturn_client.keys import EngineKeys, read_private, write_private
from keyturn_client.outcomes import details_of
from keyturn_client.problems import ExposedKeyError
from keyturn_contracts.actor import verify_command
from keyturn_contracts.credential_vault import DeleteAccount, EditAccount
from keyturn_contracts.envelope import read_headers
from keyturn_contracts.keys import new_signing_key
from keyturn_contracts.message import CommandApplied, CommandRefused
from keyturn_contracts.registration import proves_possession
from keyturn_contracts.topics import commands_topic
from keyturn_contracts.workflow import (
    BeginEpoch,
    EpochBegun,
    OutOfPlace,
    Reach,
    SavedWorkflow,
    SaveWorkflows,
)

SIGNER = Signer(
    key=new_signing_key(),
    issuer="local",
    subject="ada",
    brand="acme",
    roles=frozenset({"administrator"}),
)


def test_a_record_says_who_asks_and_is_believed() -> None:
    command = prepare(EditAccount(account_id="mail", name="Post"), "acme")
    record = SIGNER.record(command)
    envelope = read_headers(record.headers)
    assert (record.topic, record.key) == (
        commands_topic("credential-vault"),
        b"acme/accounts/mail",
    )
    actor = verify_command(
        envelope.actor or "",
        {SIGNER.key.thumbprint(): SIGNER.key},
        brand="acme",
        topic=record.topic,
        command_id=envelope.id,
        message_type=envelope.type,
        message_subject=envelope.subject,
        value=record.value,
        appended_at=datetime.now(UTC),
        epoch=None,
        number=None,
    )
    assert (actor.subject, actor.roles) == ("ada", frozenset({"administrator"}))


def test_an_engines_record_carries_its_place_in_the_log() -> None:
    signer = Signer.of_engine(new_signing_key(), brand="acme", engine_id="e1")
    command = prepare(BeginEpoch(engine_id="e1", count=0, digest="0" * 64), "acme")
    envelope = read_headers(signer.record(command, epoch=4, number=1).headers)
    assert (envelope.epoch, envelope.sequence) == (4, 1)


def test_a_command_sent_again_has_the_same_id_and_bytes() -> None:
    command = prepare(DeleteAccount(account_id="mail"), "acme")
    stored = Prepared.model_validate_json(command.model_dump_json())
    assert stored == command
    first, again = SIGNER.record(command), SIGNER.record(stored)
    assert (first.key, first.value) == (again.key, again.value)
    assert read_headers(first.headers).id == read_headers(again.headers).id


def test_what_is_too_large_to_be_sent_is_said_at_once() -> None:
    workflows = tuple(
        SavedWorkflow(workflow_id=f"{n:0250}", name="n" * 200, owner="ada") for n in range(2500)
    )
    with pytest.raises(ValueError, match="send less at once"):
        prepare(SaveWorkflows(engine_id="e1", workflows=workflows), "acme")


def test_commands_are_kept_for_the_next_process_until_their_outcome_has_come(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "kept"
    first, second = (prepare(DeleteAccount(account_id=one), "acme") for one in ("a", "b"))
    kept = Kept(folder)
    kept.keep(first)
    kept.keep(second)
    kept.keep(first)
    assert Kept(folder).all() == [first, second]
    assert {one.stat().st_mode & 0o777 for one in folder.iterdir()} == {0o600}
    kept.forget(first)
    assert Kept(folder).all() == [second]


def test_a_command_whose_file_was_cut_off_was_never_sent_and_is_passed_over(
    tmp_path: Path,
) -> None:
    kept = Kept(tmp_path)
    whole = prepare(DeleteAccount(account_id="a"), "acme")
    kept.keep(whole)
    write_private(tmp_path / "0.json", whole.model_dump_json()[:50])
    assert kept.all() == [whole]


def test_without_a_folder_nothing_is_kept() -> None:
    kept = Kept(None)
    command = prepare(DeleteAccount(account_id="a"), "acme")
    kept.keep(command)
    kept.forget(command)
    assert kept.all() == []


def test_details_are_the_commands_own_model() -> None:
    applied = CommandApplied(command="BeginEpoch", changed=True, details={"list_wanted": True})
    assert details_of(BeginEpoch, applied) == EpochBegun(list_wanted=True)
    refused = CommandRefused(
        command="BeginEpoch",
        reason="out_of_place",
        message="No.",
        details={"epoch": 3, "number": 4},
    )
    assert details_of(BeginEpoch, refused) == OutOfPlace(epoch=3, number=4)
    assert details_of(DeleteAccount, CommandApplied(command="It", changed=False)) is None


def test_an_engines_keys_survive_and_prove_themselves(tmp_path: Path) -> None:
    keys = EngineKeys.new()
    keys.save(tmp_path / "keys.json")
    loaded = EngineKeys.load(tmp_path / "keys.json")
    command = loaded.registration(
        brand="acme", engine_id="e1", name="Mailer", reach=Reach(all=True)
    )
    assert command.sig.thumbprint() == keys.sig.thumbprint()
    assert proves_possession(
        command.proof, brand="acme", engine_id="e1", sig=command.sig, enc=command.enc
    )


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    EngineKeys.new().save(tmp_path / "keys.json")
    with pytest.raises(FileExistsError):
        EngineKeys.new().save(tmp_path / "keys.json")


def test_a_secret_that_others_may_read_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "password"
    write_private(path, "secret")
    assert read_private(path) == "secret"
    path.chmod(0o640)
    with pytest.raises(ExposedKeyError, match="chmod 0600"):
        read_private(path)
