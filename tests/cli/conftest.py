"""A stack of a file's own, with the fictional extensions in its catalog."""

from collections.abc import Iterator

import pytest

from deploy.cli import compose
from tests.cli.extensions import Inside
from tests.cli.living import PASSWORD, Living, living


@pytest.fixture(scope="module")
def catalog() -> Iterator[Living]:
    with living() as one:
        compose()  # another file may have said that a stack is elsewhere
        inside = Inside(one.data, one.mail)
        inside.mail.let_in(PASSWORD)
        inside.good("catalog", "load", "--examples")
        yield inside
