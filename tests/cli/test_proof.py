"""`keyturn proof check`: offline, and never surer than it can be."""

import json
from pathlib import Path

from keyturn_contracts.keys import jwks_of, new_signing_key

from tests.cli.given import given_proof
from tests.cli.running import run

KEY = new_signing_key()
BUNDLE = given_proof(KEY)


def given_files(folder: Path, bundle: bytes = BUNDLE) -> tuple[str, str]:
    (folder / "proof.json").write_bytes(bundle)
    (folder / "jwks.json").write_bytes(jwks_of([KEY], "sig").to_json())
    return str(folder / "proof.json"), str(folder / "jwks.json")


def test_a_proof_signed_by_a_pinned_key_is_good(tmp_path: Path) -> None:
    proof, keys = given_files(tmp_path)
    result = run("proof", "check", proof, "--keys", keys, "-o", "json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == {
        "consistent": True,
        "pinned": True,
        "problems": [],
        "brand": "acme",
        "rollout_id": "mail.2",
        "account_id": "mail",
        "version": 2,
        "is_deletion": False,
        "completed_at": "2026-03-01T12:00:01+00:00",
        "engines": ["e1"],
        "excused": [],
    }


def test_without_keys_it_is_consistent_and_no_more(tmp_path: Path) -> None:
    proof, _ = given_files(tmp_path)
    result = run("proof", "check", proof)
    assert result.exit_code == 6
    assert "consistent, signed by a key that you have not pinned" in result.stderr


def test_it_is_read_from_stdin_too() -> None:
    assert run("proof", "check", "-", stdin=BUNDLE).exit_code == 6


def test_a_proof_that_was_altered_is_none(tmp_path: Path) -> None:
    altered = BUNDLE.replace(b'"version":2', b'"version":3')
    assert altered != BUNDLE
    proof, keys = given_files(tmp_path, altered)
    result = run("proof", "check", proof, "--keys", keys)
    assert result.exit_code == 1
    assert "The signature of the bundle is wrong" in result.stderr


def test_a_proof_signed_by_somebody_else_is_none(tmp_path: Path) -> None:
    proof, keys = given_files(tmp_path, given_proof(new_signing_key()))
    result = run("proof", "check", proof, "--keys", keys)
    assert result.exit_code == 1
    assert "not in the given key set" in result.stderr


def test_files_that_are_neither_get_a_sentence(tmp_path: Path) -> None:
    proof, keys = given_files(tmp_path)
    missing = run("proof", "check", str(tmp_path / "none"))
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)
    assert "No such file" in missing.stderr
    no_keys = run("proof", "check", proof, "--keys", proof)
    assert no_keys.exit_code == 2
    assert "no set of public keys" in no_keys.stderr
    no_proof = run("proof", "check", keys)
    assert no_proof.exit_code == 1
    assert "no proof bundle" in no_proof.stderr
