"""Filling in what a manifest says of trying a scheme."""

import pytest
from keyturn_contracts.probes import SmtpProbe
from keyturn_contracts.secret import Secret

from services.credential_vault.providers.finding import Finding
from services.credential_vault.providers.probes import fill_probe
from services.credential_vault.providers.smtp import SmtpLogin
from services.credential_vault.rules.trial import Verdict
from shared.security.secret_fields import SecretFields
from tests.credential_vault.given import COMPLETE, SMTP, fields


def test_templates_are_filled_with_settings_and_fields_once() -> None:
    login = fill_probe(SMTP, "smtp-password", COMPLETE, fields("{host}{password}"))

    assert isinstance(login, SmtpLogin)
    assert (login.host, login.port, login.security) == ("mail.example.com", 587, "starttls")
    assert (login.username, login.password) == ("keyturn", "{host}{password}")
    assert login.provider == "mail.example.com:587"


def test_an_answer_may_show_a_part_of_a_user_and_none_of_a_secret() -> None:
    given = SecretFields({"username": Secret("keyturn-user"), "password": Secret("correct-horse")})

    login = fill_probe(SMTP, "smtp-password", COMPLETE, given)

    assert isinstance(login, SmtpLogin)
    assert login.clean("keyturn is no user") == "keyturn is no user"
    assert login.clean("keyturn-user is locked") == ""
    assert login.clean("correct is no password") == ""


def test_where_there_is_nothing_to_try_nothing_is_tried() -> None:
    finding = fill_probe(SMTP, "signing-secret", COMPLETE, fields())

    assert finding == Finding("accepted", "Not tried: nothing to connect to.")


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"port": "0"}, "settings_invalid"),
        ({"port": "65536"}, "settings_invalid"),
        ({"port": "x"}, "settings_invalid"),
        ({"port": "9" * 5000}, "settings_invalid"),
        ({"security": "none"}, "settings_invalid"),
        ({"host": "*"}, "address_refused"),
        ({"host": "mail example"}, "address_refused"),
    ],
)
def test_what_cannot_be_tried_is_said_without_asking_anybody(
    changes: dict[str, str], verdict: Verdict
) -> None:
    finding = fill_probe(SMTP, "smtp-password", {**COMPLETE, **changes}, fields())

    assert isinstance(finding, Finding)
    assert finding.verdict == verdict


def test_a_host_that_is_not_on_the_accounts_list_is_refused() -> None:
    elsewhere = SMTP.schemes[0].model_copy(
        update={
            "probe": SmtpProbe(
                host="evil.example.com",
                port="{port}",
                security="{security}",
                username="{username}",
                password="{password}",
            )
        }
    )
    manifest = SMTP.model_copy(update={"schemes": (elsewhere,)})

    finding = fill_probe(manifest, "smtp-password", COMPLETE, fields())

    assert isinstance(finding, Finding)
    assert finding.verdict == "address_refused"


def test_a_missing_value_and_a_scheme_that_is_gone_are_wrong_settings() -> None:
    for scheme, settings in (("smtp-password", {"port": "25"}), ("oauth", COMPLETE)):
        finding = fill_probe(SMTP, scheme, settings, fields())
        assert isinstance(finding, Finding)
        assert finding.verdict == "settings_invalid"
