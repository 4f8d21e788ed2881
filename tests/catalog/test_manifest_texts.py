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
        *(
            "\u2029",
            "\u202a",
            "\u2060",
            "\u2066",
            "\u2069",
            "\u2800",
            "\u3164",
            "\ufe0f",
            "\ufeff",
            "\ufff9",
        ),
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


@pytest.mark.parametrize("slot", ["help", "example", "default", "body"])
def test_what_a_publisher_calls_a_slot_gives_it_no_lines(slot: str) -> None:
    rule, pattern = f"{{{slot}}}.example.com", "[a-z]+|\n"

    found = told(PIGEON, "domains.0", {"rule": rule, "purpose": "One.", "slots": {slot: pattern}})

    assert [one for one in found if one.startswith(f"domains.0.slots.{slot}: U+000A")], found


@pytest.mark.parametrize(
    "name",
    [
        "\u0646\u0627\u0645\u0647\u200c\u0631\u0633\u0627\u0646",
        "\u0915\u094d\u200d\u0937",
        "\u0cb0\u200d\u0ccd\u0caf",
        "A \U0001f469\u200d\U0001f4bb",
        "A \U0001f469\U0001f3fd\u200d\U0001f680",
    ],
)
def test_a_joiner_may_stand_where_it_is_written(name: str) -> None:
    assert told(PIGEON, "settings.0.title", name) == []


@pytest.mark.parametrize(
    "name",
    [
        "\u200c\u0646\u0627",
        "\u0646\u0627\u200c",
        "\u0646\u200c\u200c\u0627",
        "\u0646\u200ca",
        "a\u200d\u0915",
        "\u0646\u200d \u0627",
        "\u0661\u200c\u0662",
        "\u05d0\u200d\u05d1",
        "\u4e2d\u200c\u6587",
        "\U0001f469\u200c\U0001f4bb",
        "\U0001f469\u200da",
        "a\u200d\U0001f469",
    ],
)
def test_a_joiner_stands_nowhere_else(name: str) -> None:
    [said] = told(PIGEON, "settings.0.title", name)

    assert "ZERO WIDTH" in said


def test_the_name_of_a_header_is_a_text_too() -> None:
    found = told(PIGEON, "schemes.0.probe.headers", {"X\u200b": "{api_key}"})

    assert [one for one in found if one.startswith("schemes.0.probe.headers: U+200B")], found


@pytest.mark.parametrize("slug", sorted(ALL))
def test_what_is_shipped_hides_nothing(slug: str) -> None:
    assert problems_of(ALL[slug]) == []
