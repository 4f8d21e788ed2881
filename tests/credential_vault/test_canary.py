"""A secret that is planted in every way it may come is found nowhere that it could stay."""

import base64
import io
import logging
from urllib.parse import quote

import pytest
import structlog
from keyturn_contracts.credential_vault import DeleteAccount, VerifyAccount
from sqlalchemy import text

from deploy.demo.certificate import Certificate
from shared.telemetry.logs import configure_logs
from tests.batches import asked
from tests.credential_vault.http import Client
from tests.credential_vault.mail import mail_server
from tests.credential_vault.vault import GivenEngine, Vault, completed

CANARY = "canary-7d3f9b1e-Kx/+"


def encodings(value: str) -> set[str]:
    """Return the value as it may lie in a dump, in small letters."""
    content = value.encode()
    found = {value, content.hex(), quote(value, safe=""), content.decode("utf-16-le")[:8]}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + content).decode()
        inner = encoded[4 if before else 0 : -4]
        found |= {inner, inner.replace("+", "-").replace("/", "_"), inner.encode().hex()}
    return {one.casefold() for one in found if one.isascii()}


async def dump(vault: Vault) -> str:
    """Return every row of every table there is, as text; bytes come out as hexadecimal digits."""
    async with vault.engine.connect() as connection:
        tables = await connection.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                "AND relkind IN ('r', 'p') AND relname NOT IN "
                "('messaging_version', 'service_version') AND NOT relispartition"
            )
        )
        rows: list[str] = []
        for table in tables.all():
            found = await connection.scalars(text(f'SELECT "{table}"::text FROM "{table}"'))  # noqa: S608  the database's own names
            rows += found.all()
    return "\n".join(rows).casefold()


def is_found(haystack: str) -> set[str]:
    return {one for one in encodings(CANARY) if one in haystack.casefold()}


@pytest.mark.parametrize(
    "hidden",
    [
        CANARY,
        CANARY.upper(),
        CANARY.encode().hex(),
        base64.b64encode(CANARY.encode()).decode(),
        base64.b64encode(b"\0keyturn\0" + CANARY.encode()).decode(),
        base64.b64encode(b"xy" + CANARY.encode() + b"z").decode().encode().hex(),
        quote(CANARY, safe=""),
    ],
)
async def test_the_search_would_find_it(vault: Vault, hidden: str) -> None:
    """The positive control: each encoding, planted in a table, is found in the dump."""
    await vault.given_account()
    assert is_found(await dump(vault)) == set()

    await vault.execute("UPDATE account SET reason = :it WHERE brand_id = 'acme'", it=hidden)

    assert is_found(await dump(vault)) != set()


async def test_bytes_are_searched_too(vault: Vault) -> None:
    await vault.given_account()

    await vault.execute(
        "UPDATE secret SET content = :it WHERE brand_id = 'acme'", it=b"\0\1" + CANARY.encode()
    )

    assert is_found(await dump(vault)) != set()


async def test_a_secret_is_nowhere_in_the_database_the_logs_or_an_answer(
    vault: Vault,
    client: Client,
    certificate: Certificate,
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logs("credential-vault", logging.DEBUG)
    # A logger that keeps this set-up would keep it for every later test of this process.
    structlog.configure(cache_logger_on_first_use=False)
    engine = GivenEngine()
    answers = io.StringIO()
    async with mail_server(certificate) as server:
        server.passwords |= {CANARY, "right", f"{CANARY}2"}
        right = {"username": "keyturn", "password": CANARY}
        commands = [await vault.adding(right, server.settings)]
        await vault.deliver(*commands)
        await vault.tried()
        await vault.hear_engine(engine, "mail")
        opened = await client.opened(engine)
        assert opened.fields["password"].get_secret_value() == CANARY

        # Fields where they do not belong, a wrong password, one that is not reachable.
        for fields, settings in (
            ({CANARY: "x"}, server.settings),
            ({**right, "pin": CANARY}, server.settings),
            ({"username": "keyturn", "password": f"{CANARY}wrong"}, server.settings),
            (right, {"host": "localhost", "port": "1"}),
        ):
            command = await vault.adding(fields, settings, account_id=f"a{len(commands)}")
            commands.append(command)
            await vault.deliver(command)
            await vault.tried()
        rotate = await vault.rotating({"username": "keyturn", "password": f"{CANARY}2"})
        verify = asked(VerifyAccount(account_id="mail"))
        await vault.deliver(rotate, verify)
        await vault.tried(times=2)
        await vault.hear(completed())
        await vault.retire()
        await client.opened(engine)
        await vault.deliver(asked(DeleteAccount(account_id="mail")))
        commands += [rotate, verify]

    for command in commands:
        answers.write(repr(await vault.answer(command)))
    for path in ("/v1/accounts", "/v1/accounts/mail", "/v1/transport-keys"):
        answers.write((await client.get(path)).text)
    assert await vault.outcome(rotate) == "applied"
    assert "credentials_refused" in answers.getvalue()
    logged = "".join(capfd.readouterr())
    for place in (await dump(vault), answers.getvalue(), logged):
        assert is_found(place) == set()
        assert "hunter2" not in place
