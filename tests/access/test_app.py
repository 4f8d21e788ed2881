"""What an operator can set, and what the service says when it is wrong."""

from pathlib import Path

import pytest

from services.access.app import access_service, main
from services.access.settings import AccessSettings, read_access_settings
from services.access.store.people import load_listed
from shared.settings import WrongExtra
from tests.architecture.describing import settings_for


def test_without_settings_there_are_defaults() -> None:
    settings = read_access_settings(settings_for("access", Path()))

    assert settings == AccessSettings()
    assert settings.at_once == 1000


@pytest.mark.parametrize("extra", [{"contact": "ada"}, {"at_once": 0}])
def test_a_wrong_setting_is_named_and_nothing_starts(extra: dict[str, object]) -> None:
    own = settings_for("access", Path()).model_copy(update={"extra": extra})

    with pytest.raises(WrongExtra):
        read_access_settings(own)
    with pytest.raises(SystemExit) as ended:
        main(own)
    assert next(iter(extra)) in str(ended.value)


def test_who_is_on_a_list_is_not_asked_of_a_copy() -> None:
    """The service hears nothing of itself: its copy would stay empty, and nobody be narrowed."""
    assert access_service(AccessSettings()).members is load_listed
