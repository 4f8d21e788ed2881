"""What an operator can set, and what the service says when it is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.installation.app import main
from services.installation.settings import InstallationSettings, read_installation_settings
from shared.settings import WrongExtra
from tests.architecture.describing import settings_for


def test_without_settings_there_are_defaults() -> None:
    settings = read_installation_settings(settings_for("installation", Path()))

    assert settings == InstallationSettings()
    assert settings.uninstall_within == timedelta(minutes=15)


def test_an_operator_sets_what_differs() -> None:
    extra = {
        "platform": "Acme Cloud",
        "licence_contact": "Ada of the platform team",
        "uninstall_seconds": 60,
        "allowed_private_hosts": ["LocalHost"],
    }
    own = settings_for("installation", Path()).model_copy(update={"extra": extra})

    settings = read_installation_settings(own)

    assert settings.licence_contact == "Ada of the platform team"
    assert settings.uninstall_within == timedelta(minutes=1)
    assert settings.allowed_private_hosts == {"localhost"}


@pytest.mark.parametrize("extra", [{"contact": "ada"}, {"uninstall_seconds": 0}])
def test_a_wrong_setting_is_named_and_nothing_starts(extra: dict[str, object]) -> None:
    own = settings_for("installation", Path()).model_copy(update={"extra": extra})

    with pytest.raises(WrongExtra):
        read_installation_settings(own)
    with pytest.raises(SystemExit) as ended:
        main(own)
    assert next(iter(extra)) in str(ended.value)
