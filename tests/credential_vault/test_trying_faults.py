"""A fault of the vault's own while it tries something is an answer, and nobody waits for ever."""

from collections.abc import Mapping
from typing import Any

import pytest
from keyturn_contracts.catalog import Manifest
from keyturn_contracts.credential_vault import VerifyAccount
from keyturn_contracts.message import CommandRefused
from structlog.testing import capture_logs

from services.credential_vault.providers.finding import Finding
from services.credential_vault.providers.probes import Attempt
from services.credential_vault.providers.provider import Providers
from services.credential_vault.providers.trust import tls_context
from shared.messaging.envelope import Asked
from shared.security.secret_fields import SecretFields
from tests.batches import asked
from tests.credential_vault.mail import MailServer
from tests.credential_vault.vault import Vault

RIGHT = {"username": "keyturn", "password": "right"}
CANARY = {"username": "keyturn", "password": "hunter2-canary"}


class Faulty(Providers):
    """Real providers, and a fault that quotes what was about to be sent to a host."""

    faulty_host = "fails.example.com"

    def prepare(
        self, manifest: Manifest, scheme: str, settings: Mapping[str, str], fields: SecretFields
    ) -> Finding | Attempt:
        if settings["host"] == self.faulty_host:
            raise ValueError(fields["password"].get_secret_value())
        return super().prepare(manifest, scheme, settings, fields)


@pytest.fixture
async def mail(vault: Vault, server: MailServer) -> None:
    command = await vault.adding(RIGHT, server.settings)
    await vault.deliver(command)
    await vault.tried()
    assert await vault.outcome(command) == "applied"


async def refusal(vault: Vault, command: Asked[Any]) -> str:
    refused = await vault.answer(command)
    assert isinstance(refused, CommandRefused)
    assert refused.reason == "provider_unreachable"
    return refused.message


async def test_what_cannot_be_prepared_is_refused_and_holds_nobody_else_up(
    vault: Vault, server: MailServer
) -> None:
    providers = Faulty(vault.settings, None, tls_context(vault.settings.trust_roots))
    faulty = Vault.on(vault.database, vault.keys, vault.settings, providers)
    settings = {"host": Faulty.faulty_host}
    first = await vault.adding(CANARY, settings, account_id="a")
    second = await vault.adding(RIGHT, server.settings, account_id="b")
    await vault.deliver(first, second)

    with capture_logs() as logs:
        await faulty.tried()

    assert "a fault that is not yours" in await refusal(vault, first)
    assert await vault.outcome(second) == "applied"
    [told] = [one for one in logs if one["event"] == "a try went wrong"]
    assert told["cause"] == "ValueError"
    assert [one.partition(",")[0] for one in told["raised_in"]] == ["prepare"]
    assert "hunter2" not in repr(logs)


@pytest.mark.usefixtures("mail")
async def test_a_fault_in_the_middle_of_a_try_is_tried_again_for_a_while_and_then_refused(
    vault: Vault, server: MailServer
) -> None:
    async def fail() -> None:
        raise LookupError(CANARY["password"])

    server.passwords.add("hunter2-canary")
    rotation = await vault.rotating(CANARY)
    verification = asked(VerifyAccount(account_id="mail"))
    await vault.deliver(rotation, verification)
    faulty = vault.another(meanwhile=fail)

    with capture_logs() as logs:
        await faulty.tried()
        assert await vault.outcome(rotation) is None
        await vault.execute(
            "UPDATE version SET try_due_at = now(), try_since = now() - interval '31 s' "
            "WHERE brand_id = 'acme' AND try_since IS NOT NULL"
        )
        await faulty.tried()

    for command in (rotation, verification):
        assert "a fault that is not yours" in await refusal(vault, command)
    assert {one["cause"] for one in logs} == {"LookupError"}
    assert "hunter2" not in repr(logs)
    assert await vault.told() == ["AccountAdded"]
    assert await vault.versions() == {1: "current", 2: "refused"}
    assert await vault.trials.start_due() == 0
