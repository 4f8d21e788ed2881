"""Which patterns of a whole host are bound to owners, and which let any host through."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from keyturn_contracts.domains.patterns import read_pattern

from services.installation.rules.width import is_any_host

PIECES = [
    *("[a-z0-9-]+", "[^-]+", "[a-z.]{5,12}", ".*", ".", "[a-tv-z0-9-]+", "(?:[a-z]+[.])*", "-"),
    *(r"\.", r"\.com", r"\.example", r"example\.com", r"(?:\.com)?", r"\.co\.uk", "|", "www", "a?"),
]


@pytest.mark.parametrize(
    "pattern",
    [
        r"[a-z0-9-]+\.com",
        r"[^-]+\.com",
        r"www\.[a-z0-9-]+\.com",
        "[a-z.]{5,12}",
        r"sftp\.[a-z0-9.-]+",
        r"[a-tv-z0-9-]+(\.[a-tv-z0-9-]+)*\.[a-z]+",
        r"[a-z0-9-]*example\.com",
        r"[a-z]+[.-]example\.com",
        r"[a-z]+.example\.com",
        r"[a-z]+\.example\.com|.*",
        r"[a-z]+\.example\.(?:com|[a-z]+)",
        r"[a-z]+\.example\.com\.?[a-z]*",
        r"[a-z]+\.co\.uk",
        r"[a-z]+\.github\.io",
        r"[a-z0-9.-]+\.amazonaws\.com",
        r"[a-z]+\.eu\.nip\.io",
        r"[a-z]+\.webhook\.site",
        r"[a-z]+\.internal",
        "[a-z0-9-]+",
    ],
)
def test_what_may_be_a_strangers_host_is_any_host(pattern: str) -> None:
    assert is_any_host(pattern, None)


@pytest.mark.parametrize(
    "pattern",
    [
        r"[a-z0-9-]+\.example\.com",
        r"(?:.*\.)?example\.(?:com|org)",
        r"[A-Za-z.-]+\.[Ee]xample\.com\.?",
        r"login\.example\.com|[a-z-]+(?:\.[a-z-]+)*\.my\.example\.co\.uk",
        r"(?:a|b|c|d|e|f)+\.example\.com",
        r".*\.acme\.github\.io",
        r".*\.bücher\.de",
    ],
)
def test_what_ends_in_an_owners_name_is_the_owners(pattern: str) -> None:
    assert not is_any_host(pattern, None)


@pytest.mark.parametrize(
    ("templates", "is_any"),
    [
        (("{a}.example.com",), False),
        (("example.com", "{a}.{b}.example.org"), False),
        (("{a}example.com",), True),
        (("{a}.example.com", "{a}.com"), True),
        (("{a}",), True),
        (("{a}.github.io",), True),
        ((), True),
    ],
)
def test_templates_bind_a_slot_where_all_of_them_do(
    templates: tuple[str, ...], *, is_any: bool
) -> None:
    assert is_any_host(".*", templates) == is_any
    assert not is_any_host(r"[a-z.]*\.example\.com", templates)


@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join),
    st.lists(st.sampled_from(["a", "www", "example", "com", "uk"]), max_size=3),
    st.sampled_from(["com", "co.uk", "org"]),
)
@example(r"[a-z0-9-]+\.com", [], "com")
@example(r"www\.[a-z0-9-]+\.com", ["www"], "com")
@example(r"[^-]+example\.com", [], "com")
def test_what_lets_a_stranger_through_is_any_host(
    pattern: str, labels: list[str], suffix: str
) -> None:
    """No pattern of these names the stranger, so that only what is wide matches its hosts."""
    hosts = (f"strangers{middle}{suffix}" for middle in (".", "example."))

    if any(read_pattern(pattern).matches_slot(".".join([*labels, one])) for one in hosts):
        assert is_any_host(pattern, None)
