"""The folder of issuers: what changes is read again, and what breaks keeps what it said."""

import os
from pathlib import Path

import pytest
from keyturn_contracts.actor import Actor, ActorError, Role
from structlog.testing import capture_logs

from shared.messaging.issuers import Issuers, claimed_engine
from tests.transport.given import NOW, GivenIssuer


def test_a_new_file_is_an_issuer_at_the_next_look(tmp_path: Path) -> None:
    issuers = Issuers(tmp_path)
    assert issuers.find("local") is None
    GivenIssuer().write_to(tmp_path)

    issuers.refresh()

    assert issuers.find("local") is not None


def test_a_file_that_is_gone_takes_its_issuer_with_it(tmp_path: Path) -> None:
    path = GivenIssuer().write_to(tmp_path)
    issuers = Issuers(tmp_path)
    path.unlink()

    issuers.refresh()

    assert issuers.find("local") is None


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        "[]",
        '{"name":"local"}',
        '{"name":"local","jwks":{"keys":[]},"brands":[],"roles":[]}',
        '{"name":"local","jwks":{"keys":[]},"brands":["*"],"roles":["king"]}',
        '{"name":"no slug","jwks":{"keys":[]},"brands":["*"],"roles":[]}',
    ],
)
def test_a_broken_file_keeps_the_last_good_one_and_says_so_once(
    tmp_path: Path, broken: str
) -> None:
    good = GivenIssuer()
    path = good.write_to(tmp_path)
    issuers = Issuers(tmp_path)
    path.write_text(broken)

    with capture_logs() as logs:
        issuers.refresh()
        issuers.refresh()

    assert [one["event"] for one in logs] == [
        "an issuer's file is wrong: what it said before stays"
    ]
    found = issuers.find("local")
    assert found is not None
    assert found.keys.keys() == {good.key.thumbprint()}


def test_nothing_is_read_again_that_has_not_changed(tmp_path: Path) -> None:
    path = GivenIssuer().write_to(tmp_path)
    issuers = Issuers(tmp_path)
    before = issuers.find("local")
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))

    issuers.refresh()

    assert issuers.find("local") is before


def test_a_private_key_in_a_file_is_refused(tmp_path: Path) -> None:
    """Whoever put it there by mistake is told; it is not used, and not kept in memory."""
    path = GivenIssuer().write_to(tmp_path)
    text = path.read_text().replace('"x":', '"d": "c2VjcmV0", "x":')
    path.write_text(text)

    with capture_logs() as logs:
        issuers = Issuers(tmp_path)

    assert issuers.find("local") is None
    assert "c2VjcmV0" not in repr(logs)


def actor(brand: str, *roles: Role) -> Actor:
    return Actor(issuer="local", subject="ada", brand=brand, roles=frozenset(roles), expires_at=NOW)


def test_an_issuer_vouches_for_its_brands_and_roles_alone(tmp_path: Path) -> None:
    GivenIssuer(brands=["acme"], roles=["member"]).write_to(tmp_path)
    issuers = Issuers(tmp_path)

    issuers.check_vouched(actor("acme", "member"))
    issuers.check_vouched(actor("acme"))
    for one in (
        actor("twin", "member"),
        actor("acme", "operator"),
        actor("acme", "member", "operator"),
    ):
        with pytest.raises(ActorError, match="not_vouched"):
            issuers.check_vouched(one)


def test_every_brand_is_every_brand(tmp_path: Path) -> None:
    GivenIssuer(brands=["*"]).write_to(tmp_path)

    found = Issuers(tmp_path).find("local")

    assert found is not None
    assert found.may_speak_for("whoever")


@pytest.mark.parametrize(
    ("issuer", "engine"),
    [
        ("acme/engines/e1", ("acme", "e1")),
        ("local", None),
        ("acme/engines/", None),
        ("/engines/e1", None),
        ("acme/engines/e1/x", None),
        ("acme/engines/e1\n", None),
        ("ac\x00me/engines/e1", None),
        ("a" * 200 + "/engines/e1", None),
    ],
)
def test_an_engines_name_has_two_ids(issuer: str, engine: tuple[str, str] | None) -> None:
    assert claimed_engine(issuer) == engine
