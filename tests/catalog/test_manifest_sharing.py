"""What several manifests share: put in where it is used, and refused where that means nothing."""

from typing import Any

import pytest

from services.catalog.rules.manifest import ManifestError, read_library
from services.catalog.rules.manifest.sharing import expand, parts_of
from tests.catalog.manifests import SHIPPED, as_text, changed, written

PARTS: dict[str, Any] = {
    "a.word": "text",
    "a.pair": [1, 2],
    "a.box": {"title": "Theirs", "inside": {"x": 1, "y": 2}},
    "a.nest": {"box": {"use": "a.box"}, "all": [0, {"use": "a.pair"}, {"use": "a.word"}]},
    "a.over": {"use": "a.box", "title": "Over"},
}


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ({"use": "a.word"}, "text"),
        ({"help": {"use": "a.word"}}, {"help": "text"}),
        ([{"use": "a.pair"}, 3], [1, 2, 3]),
        ([{"use": "a.word"}], ["text"]),
        ({"list": {"use": "a.pair"}}, {"list": [1, 2]}),
        ({"use": "a.box"}, PARTS["a.box"]),
        ({"use": "a.box", "title": "Mine"}, {"title": "Mine", "inside": {"x": 1, "y": 2}}),
        ({"use": "a.box", "inside": {"x": 3}}, {"title": "Theirs", "inside": {"x": 3}}),
        ({"use": "a.box", "title": {"use": "a.word"}}, {**PARTS["a.box"], "title": "text"}),
        ({"use": "a.over"}, {**PARTS["a.box"], "title": "Over"}),
        ({"use": "a.nest"}, {"box": PARTS["a.box"], "all": [0, 1, 2, "text"]}),
        ({"plain": [None, True, 1.5]}, {"plain": [None, True, 1.5]}),
    ],
)
def test_a_part_is_put_in_and_what_is_given_goes_over_it(given: Any, whole: Any) -> None:
    assert expand(given, PARTS) == whole


def test_using_a_part_changes_it_for_nobody_else() -> None:
    expand([{"use": "a.box", "title": "Mine"}, {"use": "a.nest"}], PARTS)

    assert expand({"use": "a.box"}, PARTS) == {"title": "Theirs", "inside": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"help": {"use": "b.word"}}, "help: there is no shared part b.word."),
        ([{"use": 1}], "0: use takes the name of a shared part, as in family.part."),
        ({"use": ["a.word"]}, "the manifest: use takes the name of a shared part"),
        ({"use": "a.pair", "x": 1}, "the manifest: a.pair is no mapping, so nothing can be put"),
        ({"x": [{"use": "c.one"}]}, "shared parts use each other in a circle: c.one, c.two, c.one"),
        ({"use": "c.self"}, "in a circle: c.self, c.self."),
    ],
)
def test_a_use_that_means_nothing_is_refused_by_its_place(given: Any, sentence: str) -> None:
    circle = {"c.one": [{"use": "c.two"}], "c.two": {"x": {"use": "c.one"}}}
    parts = {**PARTS, **circle, "c.self": {"use": "c.self"}}

    with pytest.raises(ManifestError) as refused:
        expand(given, parts)

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "This is no mapping from names to parts."),
        ([], "This is no mapping from names to parts."),
        ({}, "This is no mapping from names to parts."),
        ({"Word": "x"}, "'Word' is no name; use small letters, digits and dashes."),
        ({1: "x"}, "1 is no name"),
        ({"word": 1}, "word is neither a mapping, a list nor a text."),
    ],
)
def test_a_shared_file_has_named_parts(given: Any, sentence: str) -> None:
    with pytest.raises(ManifestError) as refused:
        parts_of("family", given)

    assert sentence in str(refused.value)


RELAY = changed("smtp-relay", "rotation", {"use": "ours.rotation"})
OURS = as_text({"rotation": written("smtp-relay")["rotation"]})


def test_a_library_is_read_with_what_it_shares() -> None:
    manifests = {"smtp-relay": as_text(RELAY), "webservice": as_text(written("webservice"))}

    read = read_library(manifests, {"ours": OURS})

    assert read == [SHIPPED["smtp-relay"], SHIPPED["webservice"]]


@pytest.mark.parametrize(
    ("manifests", "shared", "sentence"),
    [
        ({"relay": as_text(RELAY)}, {"ours": OURS}, "relay.yaml: its slug is smtp-relay, so ren"),
        ({"smtp-relay": as_text(RELAY)}, {}, "smtp-relay.yaml: rotation: there is no shared part"),
        ({"smtp-relay": "slug: ["}, {}, "smtp-relay.yaml: This is not YAML"),
        ({}, {"ours": "a: 1\na: 2\n"}, "shared/ours.yaml: This is not YAML: the key a is given"),
        ({}, {"ours": "[]"}, "shared/ours.yaml: This is no mapping"),
        ({}, {"ours": OURS}, "shared/ours.yaml: nothing uses ours.rotation, so take it out."),
        (
            {"smtp-relay": as_text(RELAY)},
            {"ours": OURS + "\nmore: {use: ours.rotation}\n"},
            "shared/ours.yaml: nothing uses ours.more, so take it out.",
        ),
        (
            {"smtp-relay": as_text(changed("smtp-relay", "licence", "free"))},
            {},
            "smtp-relay.yaml: licence: a manifest has no such key.",
        ),
    ],
)
def test_one_bad_file_and_none_is_read(
    manifests: dict[str, str], shared: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ManifestError) as refused:
        read_library(manifests, shared)

    assert sentence in str(refused.value).replace("\n", " ")


def test_what_only_a_part_uses_is_used() -> None:
    shared = {"ours": OURS.replace("rotation:", "facts:") + "\nrotation: {use: ours.facts}\n"}

    assert read_library({"smtp-relay": as_text(RELAY)}, shared) == [SHIPPED["smtp-relay"]]
