"""As whom the command line signs."""

from shared.cli.options import roles_of


def test_an_administrator_is_a_member_too_and_nobody_else_is_more_than_they_say() -> None:
    assert roles_of("administrator") == {"administrator", "member"}
    assert roles_of("member") == {"member"}
    assert roles_of("operator") == {"operator"}
