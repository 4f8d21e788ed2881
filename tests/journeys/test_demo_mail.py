"""The demo's mail server: who may send, what it refuses, and what it writes down."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest

from deploy.demo.certificate import Certificate, make_certificate
from deploy.demo.mail_operator import USER, MailOperator
from deploy.demo.tally import WORKFLOW

OLD, NEW = "old-Passw0rd", "new-Passw0rd"


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


@pytest.fixture
async def operator(tmp_path: Path, certificate: Certificate) -> AsyncIterator[MailOperator]:
    operator = await MailOperator.start(tmp_path)
    await operator.add("first", OLD)
    yield operator
    await operator.stop()


async def send(
    operator: MailOperator, password: str, workflow: str = "w-1", user: str = USER
) -> None:
    message = EmailMessage()
    message["From"] = message["To"] = "demo@example.com"
    message[WORKFLOW] = workflow
    message.set_content("Hello")
    await aiosmtplib.send(
        message,
        hostname="localhost",
        port=operator.port,
        username=user,
        password=password,
        start_tls=True,
        tls_context=ssl.create_default_context(cafile=operator.log.with_name("authority.pem")),
        local_hostname=f"{workflow}.engine",
    )


def lines_of(operator: MailOperator, *whats: str) -> list[dict[str, Any]]:
    lines = [json.loads(one) for one in operator.log.read_text(encoding="utf-8").splitlines()]
    return [one for one in lines if one["what"] in whats]


async def test_a_dropped_password_is_refused_beside_one_that_works(operator: MailOperator) -> None:
    await send(operator, OLD)
    await operator.add("second", NEW)
    await send(operator, OLD)
    await send(operator, NEW)
    await operator.drop("first")
    await send(operator, NEW)

    with pytest.raises(aiosmtplib.SMTPAuthenticationError) as refused:
        await send(operator, OLD)

    assert refused.value.code == 535
    trust_root = operator.log.with_name("authority.pem")
    assert await operator.try_login(OLD, trust_root) == 535
    assert await operator.try_login(NEW, trust_root) == 235
    logins = [(one["what"], one["password"]) for one in lines_of(operator, "login", "refused")]
    assert logins == [
        ("login", "first"),
        ("login", "first"),
        ("login", "second"),
        ("login", "second"),
        ("refused", "first"),
        ("refused", "first"),
        ("login", "second"),
    ]
    changes = [(one["what"], one["password"]) for one in lines_of(operator, "add", "drop")]
    assert changes == [("add", "first"), ("add", "second"), ("drop", "first")]


@pytest.mark.parametrize(
    ("user", "password", "label"), [(USER, "guess", "unknown"), ("mallory", OLD, "first")]
)
async def test_a_stranger_is_refused(
    operator: MailOperator, user: str, password: str, label: str
) -> None:
    with pytest.raises(aiosmtplib.SMTPAuthenticationError):
        await send(operator, password, user=user)

    (refused,) = lines_of(operator, "refused")
    assert (refused["client"], refused["password"]) == ("w-1.engine", label)
    assert lines_of(operator, "accepted") == []


async def test_no_login_in_clear_and_no_mail_without_one(operator: MailOperator) -> None:
    client = aiosmtplib.SMTP(hostname="localhost", port=operator.port, start_tls=False)
    await client.connect()
    await client.ehlo()
    assert not client.supports_extension("AUTH")
    in_clear = await client.execute_command(b"AUTH", b"PLAIN", b"AGEAYg==")
    client.close()
    tls = ssl.create_default_context(cafile=operator.log.with_name("authority.pem"))
    encrypted = aiosmtplib.SMTP(hostname="localhost", port=operator.port, tls_context=tls)
    await encrypted.connect()
    await encrypted.ehlo()
    without_login = await encrypted.execute_command(b"MAIL", b"FROM:<a@example.com>")
    encrypted.close()

    assert (in_clear.code, without_login.code) == (530, 530)


async def test_its_certificate_is_believed_by_nobody_without_the_demos_own_authority(
    operator: MailOperator,
) -> None:
    client = aiosmtplib.SMTP(hostname="localhost", port=operator.port)

    with pytest.raises(ssl.SSLCertVerificationError):
        await client.connect()


async def test_it_takes_many_at_once_and_says_which_workflow_sent_what(
    operator: MailOperator,
) -> None:
    workflows = [f"w-{number}" for number in range(60)]

    await asyncio.gather(*(send(operator, OLD, workflow) for workflow in workflows))

    accepted = lines_of(operator, "accepted")
    assert sorted(one["workflow"] for one in accepted) == sorted(workflows)
    assert {one["password"] for one in accepted} == {"first"}
    opened = {one["session"] for one in lines_of(operator, "opened")}
    assert {one["session"] for one in accepted} == opened
    times = [(one["at"], one["monotonic"]) for one in accepted]
    assert times == sorted(times)


async def test_no_password_is_written_anywhere(operator: MailOperator, tmp_path: Path) -> None:
    await send(operator, OLD)
    with pytest.raises(aiosmtplib.SMTPAuthenticationError):
        await send(operator, "g-u-e-s-s")

    written = b"".join(one.read_bytes() for one in tmp_path.iterdir())  # noqa: ASYNC240  small files
    assert USER.encode() not in written
    assert not [one for one in (OLD.encode(), b"g-u-e-s-s") if one in written]
    assert (tmp_path / "server.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "mail.err").read_bytes() == b""


@pytest.mark.usefixtures("certificate")
async def test_it_ends_with_the_process_that_it_is_there_for(tmp_path: Path) -> None:
    asked_for = await asyncio.create_subprocess_exec("sleep", "600")
    operator = await MailOperator.start(tmp_path, lives_with=asked_for.pid)

    asked_for.kill()

    assert await asyncio.wait_for(operator.ended(), timeout=30) == 0
    await asked_for.wait()
