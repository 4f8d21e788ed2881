"""No text of a manifest has what people do not see, or what moves what they do see."""

import pytest
from keyturn_contracts.catalog import Manifest

from services.catalog.rules.manifest import problems_of
from tests.catalog.manifests import ALL, changed

PIGEON = "parcel-pigeon"


def told(slug: str, place: str, value: object) -> list[str]:
    return problems_of(Manifest.model_validate(changed(slug, place, value)))


@pytest.mark.parametrize(
    ("slug", "place"),
    [
        (PIGEON, "name"),
        (PIGEON, "by"),
        (PIGEON, "description"),
        (PIGEON, "support.name"),
        (PIGEON, "support.hours"),
        (PIGEON, "privacy_policy.version"),
        (PIGEON, "terms.url"),
        (PIGEON, "permissions.0.purpose"),
        (PIGEON, "additional_domains.why"),
        (PIGEON, "settings.0.title"),
        (PIGEON, "settings.0.help"),
        (PIGEON, "settings.0.example"),
        (PIGEON, "schemes.0.title"),
        (PIGEON, "schemes.0.fields.0.title"),
        (PIGEON, "domains.0.purpose"),
        ("zendesk", "gaps.0"),
        ("zendesk", "steps.0.name"),
        ("zendesk", "steps.0.description"),
        ("slack", "rotation.note"),
        ("slack", "schemes.0.caveats.0"),
    ],
)
@pytest.mark.parametrize("hidden", ["\u202e", "\u200b"])
def test_a_text_that_people_are_shown_has_nothing_hidden_in_it(
    slug: str, place: str, hidden: str
) -> None:
    code = f"U+{ord(hidden):04X}"
    manifest = changed(slug, place, f"https://a.example.com/{hidden}")

    found = problems_of(Manifest.model_validate(manifest))

    assert [one for one in found if one.startswith(f"{place}: {code} ")], found
    assert all(one.isprintable() for one in found)


@pytest.mark.parametrize(
    "hidden",
    [
        *(
            "\x00",
            "\x1b",
            "\x7f",
            "\x85",
            "\n",
            "\t",
            "\u00ad",
            "\u061c",
            "\u200d",
            "\u200e",
            "\u2028",
        ),
        *("\u2029", "\u202a", "\u2060", "\u2066", "\u2069", "\u3164", "\ufe0f", "\ufeff", "\ufff9"),
        *("\ue000", "\U000e0041", "\U000f0000", "\u0378"),
    ],
)
def test_what_is_invisible_or_moves_what_is_seen_is_named(hidden: str) -> None:
    [said] = told(PIGEON, "name", f"Parcel{hidden}Pigeon")

    assert f"U+{ord(hidden):04X}" in said.removeprefix("name: ")
    assert said.endswith("is invisible, or moves what stands around it; leave it out.")


@pytest.mark.parametrize(
    "name",
    ["Colombe d\u2019Été", "鳩の便", "حمام زاجل", "Pošta № 1", "A\u00a0B", "Brief \U0001f54a"],
)
def test_every_language_is_welcome(name: str) -> None:
    assert told(PIGEON, "name", name) == []


@pytest.mark.parametrize(
    ("slug", "place", "value"),
    [
        (PIGEON, "settings.0.help", "First this.\n\tThen that."),
        ("snowflake-extract", "schemes.0.probe.body", '{\n\t"a": "{user}"\n}'),
    ],
)
def test_longer_texts_may_have_lines(slug: str, place: str, value: str) -> None:
    assert told(slug, place, value) == []


def test_the_name_of_a_header_is_a_text_too() -> None:
    found = told(PIGEON, "schemes.0.probe.headers", {"X\u200b": "{api_key}"})

    assert [one for one in found if one.startswith("schemes.0.probe.headers: U+200B")], found


@pytest.mark.parametrize("slug", sorted(ALL))
def test_what_is_shipped_hides_nothing(slug: str) -> None:
    assert problems_of(ALL[slug]) == []
