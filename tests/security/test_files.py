"""Keys in files: nobody else's eyes, and never two answers to the same question."""

import os
import stat
from pathlib import Path

import pytest

from shared.security.encryption import decrypt, encrypt, place
from shared.security.file_keys import FileKeys, InvalidKeyFileError, load_or_create_key
from shared.security.private_files import (
    ExposedFileError,
    MissingFileError,
    create_private_file,
    read_private_file,
)

HERE = place("test", "acme", "mail", "1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_a_new_key_file_is_readable_by_its_owner_alone(folder: Path) -> None:
    FileKeys(folder)

    assert stat.S_IMODE(only_file(folder).stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_key_file_with_a_laxer_mode_is_refused_with_what_to_do(folder: Path, mode: int) -> None:
    FileKeys(folder)
    only_file(folder).chmod(mode)

    with pytest.raises(ExposedFileError, match=r"chmod 0600 .*replace the keys"):
        FileKeys(folder)


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o711])
def test_a_folder_that_others_may_enter_is_refused(folder: Path, mode: int) -> None:
    folder.chmod(mode)

    with pytest.raises(ExposedFileError, match="chmod 0700"):
        FileKeys(folder)


def test_a_missing_folder_is_named_with_what_to_do(folder: Path) -> None:
    with pytest.raises(MissingFileError, match="mkdir -m 0700"):
        FileKeys(folder / "keys")


def test_a_file_that_is_no_key_is_refused_without_its_content(folder: Path) -> None:
    create_private_file(folder / "key-encryption-1.key", b"too short to be one")

    with pytest.raises(InvalidKeyFileError) as refused:
        FileKeys(folder)

    assert "too short" not in str(refused.value)


def test_a_private_file_that_is_there_is_never_replaced(folder: Path) -> None:
    path = folder / "one.key"

    assert create_private_file(path, b"first")
    assert not create_private_file(path, b"second")

    assert read_private_file(path) == b"first"
    assert [one.name for one in folder.iterdir()] == ["one.key"]


def test_a_named_key_stays_the_same(folder: Path) -> None:
    first = load_or_create_key(folder, "receipt")

    assert len(first) == 32
    assert load_or_create_key(folder, "receipt") == first
    assert load_or_create_key(folder, "other") != first


def test_a_named_key_of_another_length_is_refused(folder: Path) -> None:
    create_private_file(folder / "receipt.key", b"")

    with pytest.raises(InvalidKeyFileError):
        load_or_create_key(folder, "receipt")


async def test_a_key_that_another_process_made_is_found(folder: Path) -> None:
    early = FileKeys(folder)
    create_private_file(folder / "key-encryption-99999999T0-later.key", os.urandom(32))
    late = FileKeys(folder)

    encrypted = await encrypt(late, b"content", HERE)

    assert encrypted.key.key_id == "99999999T0-later"
    assert await decrypt(early, encrypted, HERE) == b"content"


async def test_the_newest_key_wraps_and_the_older_ones_still_open(folder: Path) -> None:
    before = await encrypt(FileKeys(folder), b"old", HERE)
    create_private_file(folder / "key-encryption-99999999T0-later.key", os.urandom(32))
    keys = FileKeys(folder)

    after = await encrypt(keys, b"new", HERE)

    assert after.key.key_id > before.key.key_id
    assert await decrypt(keys, before, HERE) == b"old"
    assert await decrypt(keys, after, HERE) == b"new"
