"""Envelope encryption: a content opens in its own place, unaltered, and nowhere else."""

import pickle
from copy import copy, deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from keyturn_contracts.secret import Secret

from shared.security.encryption import Encrypted, decrypt, encrypt, place
from shared.security.file_keys import FileKeys
from shared.security.keys import DoesNotOpenError, UnknownKeyError, WrappedKey
from shared.security.secret_fields import SecretFields

HERE = place("credential-version", "acme", "mail", "3")
CONTENT = b"the password"


@pytest.fixture
def keys(tmp_path: Path) -> FileKeys:
    tmp_path.chmod(0o700)
    return FileKeys(tmp_path)


async def test_what_was_encrypted_opens_in_its_place(keys: FileKeys) -> None:
    encrypted = await encrypt(keys, CONTENT, HERE)

    assert CONTENT not in encrypted.content
    assert await decrypt(keys, encrypted, HERE) == CONTENT


async def test_every_content_has_a_data_key_of_its_own(keys: FileKeys) -> None:
    one = await encrypt(keys, CONTENT, HERE)
    two = await encrypt(keys, CONTENT, HERE)

    assert one.key.wrapped != two.key.wrapped
    with pytest.raises(DoesNotOpenError):
        await decrypt(keys, replace(one, key=two.key), HERE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        place("transport-key", "acme", "mail", "3"),
        place("credential-version", "twin", "mail", "3"),
        place("credential-version", "acme", "chat", "3"),
        place("credential-version", "acme", "mail", "2"),
        place("credential-version", "acme", "mai", "l3"),
        place("credential-version", "acmemail", "", "3"),
    ],
)
async def test_a_row_that_was_moved_does_not_open(keys: FileKeys, elsewhere: bytes) -> None:
    encrypted = await encrypt(keys, CONTENT, HERE)

    with pytest.raises(DoesNotOpenError):
        await decrypt(keys, encrypted, elsewhere)


async def test_a_content_does_not_open_for_another_place_even_with_the_right_data_key(
    keys: FileKeys,
) -> None:
    """The wrapped key and the content are tied to the place each by itself."""
    elsewhere = place("credential-version", "acme", "mail", "4")
    encrypted = await encrypt(keys, CONTENT, HERE)
    data_key = await keys.unwrap(encrypted.key, HERE)
    moved = Encrypted(await keys.wrap(data_key, elsewhere), encrypted.content)

    with pytest.raises(DoesNotOpenError):
        await decrypt(keys, moved, elsewhere)


@pytest.mark.parametrize("length", [0, 5, 12, 20])
async def test_what_was_cut_or_altered_does_not_open(keys: FileKeys, length: int) -> None:
    encrypted = await encrypt(keys, CONTENT, HERE)
    altered = encrypted.content[:-1] + bytes([encrypted.content[-1] ^ 1])
    cut_key = WrappedKey(encrypted.key.key_id, encrypted.key.wrapped[:length])

    for broken in (
        replace(encrypted, content=altered),
        replace(encrypted, content=encrypted.content[:length]),
        replace(encrypted, key=cut_key),
    ):
        with pytest.raises(DoesNotOpenError) as refused:
            await decrypt(keys, broken, HERE)
        assert CONTENT.decode() not in str(refused.value)


async def test_a_missing_key_is_named(keys: FileKeys) -> None:
    encrypted = await encrypt(keys, CONTENT, HERE)
    lost = replace(encrypted, key=WrappedKey("20200101T000000-gone", encrypted.key.wrapped))

    with pytest.raises(UnknownKeyError, match="20200101T000000-gone is missing"):
        await decrypt(keys, lost, HERE)
    assert not await keys.knows("20200101T000000-gone")


def test_secret_fields_do_not_print_pickle_or_copy() -> None:
    fields = SecretFields({"username": Secret("keyturn"), "password": Secret("hunter2-canary")})

    for text in (repr(fields), str(fields), f"{fields!r:>1}", repr(dict(fields))):
        assert "hunter2" not in text
    for attempt in (pickle.dumps, copy, deepcopy):
        with pytest.raises(TypeError):
            attempt(fields)


def test_secret_fields_come_back_as_they_were() -> None:
    fields = SecretFields({"password": Secret('pä"ss\n\u2028word'), "empty": Secret("")})

    again = SecretFields.from_bytes(fields.to_bytes())

    assert again == fields
    assert again["password"].get_secret_value() == 'pä"ss\n\u2028word'
    assert list(again) == ["password", "empty"]
