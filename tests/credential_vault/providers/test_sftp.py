"""Logging in to a real SFTP server, and to ones that are not what they should be."""

import logging
import socket
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from keyturn_contracts.probes import SftpProbe

from tests.credential_vault.mail import scripted_server
from tests.credential_vault.providers.conftest import Try
from tests.credential_vault.ssh import HOST_KEY, for_ssh, line_of, openssh, pem, ssh_server

PASSWORD = "canary-7d3f9b1e-Kx/+"
BY_PASSWORD = SftpProbe(
    host="{host}",
    port="{port}",
    username="{username}",
    host_key="{host_key}",
    password="{password}",
    folder="{folder}",
)
BY_KEY = BY_PASSWORD.model_copy(
    update={"password": None, "private_key": "{private_key}", "passphrase": "{passphrase}"}
)
KEYS: list[Any] = [
    ed25519.Ed25519PrivateKey.generate(),
    rsa.generate_private_key(65537, 2048),
    ec.generate_private_key(ec.SECP256R1()),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "outbound").mkdir()
    (tmp_path / "file").touch()
    for number in range(300):
        (tmp_path / "outbound" / f"{number}.csv").touch()
    return tmp_path


async def test_a_right_password_is_accepted_and_a_wrong_one_tried_once(
    folder: Path, try_probe: Try
) -> None:
    async with ssh_server(folder) as server:
        server.passwords.add(PASSWORD)
        right = await try_probe(BY_PASSWORD, server.settings, username="keyturn", password=PASSWORD)
        assert server.seen == ["keyturn", PASSWORD]
        wrong = await try_probe(
            BY_PASSWORD, server.settings, username="keyturn", password="hunter2"
        )

    assert right.verdict == "accepted"
    assert right.said == f"localhost:{server.port} accepted the login, and listed the folder."
    assert wrong.verdict == "credentials_refused"
    assert wrong.said == f"localhost:{server.port} did not accept the login."
    assert server.seen.count("hunter2") == 1
    assert server.asks == [], "no question of the server's is answered"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: type(key).__name__)
async def test_a_key_is_accepted_plain_or_with_its_passphrase(
    folder: Path, try_probe: Try, key: Any
) -> None:
    async with ssh_server(folder) as server:
        server.keys.append(for_ssh(key))
        for text, passphrase in ((pem(key), ""), (openssh(key), ""), (pem(key, "open"), "open")):
            finding = await try_probe(
                BY_KEY,
                server.settings,
                username="keyturn",
                private_key=text,
                **({"passphrase": passphrase} if passphrase else {}),
            )
            assert finding.verdict == "accepted", finding.said


async def test_a_key_that_the_server_does_not_know_is_refused(folder: Path, try_probe: Try) -> None:
    async with ssh_server(folder) as server:
        finding = await try_probe(
            BY_KEY, server.settings, username="keyturn", private_key=pem(KEYS[0])
        )

    assert finding.verdict == "credentials_refused"
    assert len(server.seen) == 2


async def test_a_wrong_passphrase_sends_nothing(folder: Path, try_probe: Try) -> None:
    async with ssh_server(folder) as server:
        finding = await try_probe(
            BY_KEY,
            server.settings,
            username="keyturn",
            private_key=pem(KEYS[0], "open"),
            passphrase="shut!",
        )

    assert finding.verdict == "fields_invalid"
    assert finding.said == "The value of passphrase does not open the key in private_key."
    assert server.seen == []


@pytest.mark.parametrize(
    "other",
    [for_ssh(KEYS[0]), for_ssh(KEYS[1])],
    ids=["of the same kind", "of another kind"],
)
async def test_a_server_that_shows_another_host_key_is_sent_nothing(
    folder: Path, try_probe: Try, other: asyncssh.SSHKey
) -> None:
    async with ssh_server(folder, server_host_keys=[other]) as server:
        server.passwords.add(PASSWORD)
        server.keys.append(for_ssh(KEYS[0]))
        by_password = await try_probe(
            BY_PASSWORD, server.settings, username="keyturn", password=PASSWORD
        )
        by_key = await try_probe(
            BY_KEY, server.settings, username="keyturn", private_key=pem(KEYS[0])
        )
        assert server.seen == []
        server_settings = {**server.settings, "host_key": f"{line_of(other)} its comment"}
        right = await try_probe(BY_PASSWORD, server_settings, username="keyturn", password=PASSWORD)

    assert by_password.verdict == by_key.verdict == "settings_invalid"
    assert "another host key" in by_password.said
    assert right.verdict == "accepted"


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "sftp.example.com ssh-ed25519 AAAA", "x" * 99])
async def test_a_host_key_that_is_none_is_a_wrong_setting(try_probe: Try, line: str) -> None:
    settings = {"host": "localhost", "port": "22", "host_key": line}

    finding = await try_probe(BY_PASSWORD, settings, username="keyturn", password=PASSWORD)

    assert finding.verdict == "settings_invalid"
    assert "host key" in finding.said


@pytest.mark.parametrize(
    ("path", "verdict", "says"),
    [
        ("/outbound", "accepted", "listed the folder"),
        ("/missing", "settings_invalid", "has no such folder"),
        ("/file", "settings_invalid", "has no such folder"),
        ("/../..", "accepted", "listed the folder"),
    ],
)
async def test_the_folder_that_is_listed(
    folder: Path, try_probe: Try, path: str, verdict: str, says: str
) -> None:
    async with ssh_server(folder) as server:
        server.passwords.add(PASSWORD)
        finding = await try_probe(
            BY_PASSWORD, {**server.settings, "path": path}, username="keyturn", password=PASSWORD
        )

    assert finding.verdict == verdict
    assert says in finding.said


class _Denies(asyncssh.SFTPServer):
    async def scandir(self, path: bytes) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  it never lists anything
        raise asyncssh.SFTPPermissionDenied("keyturn may not")
        yield


async def test_a_folder_that_may_not_be_listed_is_a_right_that_is_missing(
    folder: Path, try_probe: Try
) -> None:
    async with ssh_server(folder, sftp_factory=_Denies) as server:
        server.passwords.add(PASSWORD)
        finding = await try_probe(
            BY_PASSWORD, server.settings, username="keyturn", password=PASSWORD
        )

    assert finding.verdict == "credentials_refused"
    assert "does not let it list" in finding.said


async def test_a_server_without_sftp(folder: Path, try_probe: Try) -> None:
    async with ssh_server(folder, sftp_factory=None) as server:
        server.passwords.add(PASSWORD)
        finding = await try_probe(
            BY_PASSWORD, server.settings, username="keyturn", password=PASSWORD
        )

    assert finding.verdict == "credentials_refused"
    assert "no SFTP" in finding.said


async def test_a_server_that_lets_anybody_in_proves_nothing(folder: Path, try_probe: Try) -> None:
    async with ssh_server(folder) as server:
        server.needs_nothing = True
        finding = await try_probe(
            BY_PASSWORD, server.settings, username="keyturn", password=PASSWORD
        )

    assert finding.verdict == "credentials_refused"
    assert "lets anybody in" in finding.said


async def test_nothing_of_this_machine_is_used(
    folder: Path, try_probe: Try, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of the process's own user would open what the brand's credentials do not."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_text(openssh(KEYS[0]))
    (home / ".ssh" / "config").write_text("Host *\n  HostKeyAlgorithms ssh-rsa\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "agent"))
    async with ssh_server(folder) as server:
        server.keys.append(for_ssh(KEYS[0]))
        refused = await try_probe(
            BY_PASSWORD, server.settings, username="keyturn", password=PASSWORD
        )
        server.passwords.add(PASSWORD)
        accepted = await try_probe(
            BY_PASSWORD, server.settings, username="keyturn", password=PASSWORD
        )

    assert (refused.verdict, accepted.verdict) == ("credentials_refused", "accepted")
    assert set(server.seen) == {"keyturn", PASSWORD}


async def test_what_is_not_ssh_is_a_wrong_setting_or_not_there(try_probe: Try) -> None:
    given = {"username": "keyturn", "password": PASSWORD}
    settings = {"host": "localhost", "host_key": line_of(HOST_KEY)}
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = str(reserved.getsockname()[1])
        nobody = await try_probe(BY_PASSWORD, {**settings, "port": port}, **given)
    received: list[bytes] = []
    async with scripted_server(None, [b"HTTP/1.1 400 Bad Request\r\n\r\n"], received) as port:
        other = await try_probe(BY_PASSWORD, {**settings, "port": str(port)}, seconds=1, **given)
    async with scripted_server(None, [], received) as port:
        silent = await try_probe(BY_PASSWORD, {**settings, "port": str(port)}, seconds=0.3, **given)

    assert nobody.verdict == silent.verdict == "provider_unreachable"
    assert other.verdict in {"provider_unreachable", "settings_invalid"}
    assert not any(PASSWORD.encode() in one for one in received)


async def test_the_account_reaches_its_own_host_alone(folder: Path, try_probe: Try) -> None:
    async with ssh_server(folder) as server:
        finding = await try_probe(
            BY_PASSWORD, server.settings, "{host}", username="keyturn", password=PASSWORD
        )
        private = await try_probe(
            BY_PASSWORD,
            {**server.settings, "host": "127.0.0.1"},
            username="keyturn",
            password=PASSWORD,
        )

    assert finding.verdict == private.verdict == "address_refused"
    assert server.seen == []


async def test_nobodys_name_is_logged(
    folder: Path, try_probe: Try, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with ssh_server(folder) as server:
        server.passwords.add(PASSWORD)
        await try_probe(BY_PASSWORD, server.settings, username="keyturn", password=PASSWORD)

    assert server.seen == ["keyturn", PASSWORD]
    assert "keyturn" not in "".join(one.getMessage() for one in caplog.records)
