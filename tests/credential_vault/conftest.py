"""The vault's database, with a twin brand in it that no test may change."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest
from keyturn_contracts.access import MemberRegistered
from keyturn_contracts.credential_vault import VerifyAccount
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from deploy.demo.certificate import Certificate, make_certificate
from services.credential_vault.handlers import accounts_with, handlers_of
from services.credential_vault.jobs.transport_keys import keep_transport_keys
from services.credential_vault.rules.account import Desk
from services.credential_vault.rules.audit import Entry
from services.credential_vault.settings import VaultSettings
from services.credential_vault.store.accounts import save_accounts
from services.credential_vault.store.fetches import Fetched, record_holders
from services.credential_vault.store.keys import key_of_account
from services.credential_vault.tables import Base
from shared.messaging.batch import apply_batch
from shared.security.file_keys import FileKeys
from tests.batches import Database, asked, news, service_database
from tests.credential_vault.given import (
    ADA,
    LICENSED,
    NOW,
    PUBLISHED,
    account,
    fields,
    granted,
    installation,
    version,
)
from tests.credential_vault.http import Client, serving
from tests.credential_vault.mail import MailServer, mail_server
from tests.credential_vault.vault import GivenEngine, Vault, bound, completed
from tests.running_stack import RunningStack

LATER = NOW + timedelta(days=365_000)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def keys_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    folder.chmod(0o700)
    return folder


@pytest.fixture(scope="session")
def keys(keys_folder: Path) -> FileKeys:
    return FileKeys(keys_folder)


async def fill(keys: FileKeys, connection: AsyncConnection, brand: str) -> None:
    """Put in the ids that the tests use, and something of every kind about them.

    What is to be done in it is claimed for ever, so no job of a test takes it up.
    """
    secret = fields("the twin's own")
    for account_id in ("mail", "chat"):
        key = key_of_account(brand, account_id)
        on_it = account(
            version(2, "previous", retire="PT1H", retire_at=LATER, content=secret),
            version(3, content=secret, try_since=NOW),
            version(4, "pending", content=secret, try_since=NOW, promoted_at=None),
            id=account_id,
            last_number=4,
        )
        entry = Entry(at=NOW, by=ADA, action="add", account_id=account_id, result="done")
        await save_accounts(keys, connection, {key: Desk(account=on_it, entries=(entry,))})
        await record_holders(connection, brand, [Fetched(account_id, "e1", 2, None)])
    await connection.execute(
        text("UPDATE version SET claim = 'mine', leased_until = :later WHERE brand_id = :brand"),
        {"later": LATER, "brand": brand},
    )
    engine = GivenEngine(brand=brand)
    await apply_batch(
        connection,
        handlers_of(accounts_with(keys, "nobody")),
        [
            news(PUBLISHED, 1, brand="platform"),
            news(LICENSED, 1, brand=brand),
            news(installation(uninstall_id="of-old"), 1, brand=brand),
            news(engine.registered(), 1, brand=brand),
            news(bound("e1", "mail"), 1, brand=brand),
            news(completed(version=2), 1, brand=brand),
            news(
                MemberRegistered(member_id="ada", role="member", state="registered"), 1, brand=brand
            ),
            news(granted("mail"), 1, brand=brand),
            news(granted("chat"), 1, brand=brand),
            asked(VerifyAccount(account_id="chat"), brand=brand),
        ],
    )
    await connection.execute(
        text("INSERT INTO clearance VALUES (:brand, 'pager', 'of-old', 2, true)"), {"brand": brand}
    )
    await connection.execute(
        text("UPDATE completion SET is_planned = true WHERE brand_id = :brand"), {"brand": brand}
    )
    await connection.execute(
        text("UPDATE version SET claim = 'mine', leased_until = :later WHERE brand_id = :brand"),
        {"later": LATER, "brand": brand},
    )


@pytest.fixture
async def database(stack: RunningStack, keys: FileKeys) -> AsyncGenerator[Database]:
    async def fill_twin(connection: AsyncConnection, brand: str) -> None:
        await fill(keys, connection, brand)

    async with service_database(stack, "credential-vault", Base.metadata, fill_twin) as database:
        yield database


@pytest.fixture
def vault_settings(certificate: Certificate) -> VaultSettings:
    """Believe the test's authority, and let `localhost` be tried."""
    return VaultSettings(
        trust_roots=certificate.root,
        allowed_private_hosts=frozenset({"localhost"}),
        tries_per_provider=1000,
    )


@pytest.fixture
async def vault(
    database: Database, keys: FileKeys, vault_settings: VaultSettings
) -> AsyncGenerator[Vault]:
    await keep_transport_keys(database.writer, keys)
    vault = Vault.on(database, keys, vault_settings)
    for brand in ("acme", "other"):
        await vault.hear(LICENSED, brand=brand)
    yield vault
    await vault.trials.finish()


@pytest.fixture
async def server(certificate: Certificate) -> AsyncGenerator[MailServer]:
    async with mail_server(certificate) as server:
        server.passwords.add("right")
        yield server


@pytest.fixture
async def client(vault: Vault, stack: RunningStack, keys_folder: Path) -> AsyncGenerator[Client]:
    """Serve the same database and keys; a binding that is not there is not waited for."""
    settings = stack.settings_of("credential-vault")
    async with serving(vault.database, settings, keys_folder, binding_wait_seconds=0) as client:
        yield client
