"""What is made of the catalog's files is today's, and says what there is."""

import pytest

from services.catalog.documents import ROOT, documents
from services.catalog.guide import CONNECTS, NOT_TRIED, UNCONFIRMED, WAITS, guide, state_of
from tests.catalog.manifests import EXAMPLE, SHIPPED, parsed

PAGE = guide(SHIPPED.values(), "Keyturn")


def section(slug: str, page: str = PAGE) -> str:
    return page.partition(f'<a id="{slug}"></a>')[2].partition("<a id=")[0]


@pytest.mark.parametrize("path", sorted(documents()))
def test_what_is_committed_is_what_would_be_written(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == documents()[path], (
        "Run: python -m services.catalog.documents"
    )


def test_the_page_is_linked() -> None:
    assert "(extensions.md)" in (ROOT / "docs" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("slug", sorted(SHIPPED))
def test_every_extension_has_its_section_with_what_works(slug: str) -> None:
    manifest, text = SHIPPED[slug], section(slug)

    assert text.startswith(f"\n\n## {manifest.name}\n\nBy Keyturn · {manifest.category} · `{slug}`")
    assert PAGE.count(f"](#{slug})") == 1
    for step in manifest.steps:
        assert f"- {step.name} ({step.kind}): {step.description}" in text
    for scheme in manifest.schemes:
        [row] = [one for one in text.splitlines() if f"(`{scheme.id}`" in one]
        assert f"| {state_of(scheme)} |" in row
        assert (UNCONFIRMED in row.split("|")[1]) == (not scheme.confirmed)
    for domain in manifest.domains:
        assert f"- `{domain.rule}`: {domain.purpose}" in text
    for gap in manifest.gaps:
        assert f"- {gap}" in text


def test_what_works_today_is_what_needs_no_browser() -> None:
    states = {
        (slug, one.id): state_of(one)
        for slug, manifest in SHIPPED.items()
        for one in manifest.schemes
    }

    assert states["slack", "bot-token"] == CONNECTS
    assert states["sftp-load", "ssh-key"] == CONNECTS
    assert states["smtp-relay", "smtp-password"] == CONNECTS
    assert states["slack", "oauth-bot"] == WAITS
    secret = parsed("smtp-relay", "schemes.0.probe", {"protocol": "none"}).schemes[0]
    assert state_of(secret) == NOT_TRIED


def test_a_third_partys_extension_is_by_its_publisher_and_a_preview() -> None:
    page = guide(EXAMPLE.values(), "Keyturn")

    assert "By Loud Mail Ltd, a fictional company · email · `loud-mail` · Preview" in page
    assert "Preview" not in section("tea-leaves", page)


def test_what_is_not_confirmed_is_marked() -> None:
    text = section("freshdesk")

    assert f"what it does there was not found. {UNCONFIRMED}" in text
    assert UNCONFIRMED not in next(one for one in text.splitlines() if "(`api-key`" in one)


def test_how_long_a_former_secret_lives_is_said() -> None:
    assert "the former one lives on for 7 days" in section("hubspot")
    assert "the former one lives on for 1 day; each has an end" in section("snowflake-extract")
