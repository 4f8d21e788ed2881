"""Judging never raises, whatever a manifest says; nor does reading, but `ManifestError`."""

import types
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Literal, Union, cast, get_args, get_origin

from hypothesis import given
from hypothesis import strategies as st
from keyturn_contracts.catalog import LegalDocument, Manifest, SupportDetails
from keyturn_contracts.message import Part
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from services.catalog.rules.manifest import ManifestError, problems_of, read_manifest
from services.catalog.rules.manifest.schema import manifest_schema
from tests.catalog.manifests import ALL, as_text, changed, written

_NAMES = st.sampled_from(["host", "port", "a", "b", "api_key", "access_token", "A b", "", "é"])
# fmt: off
_ODD = [
    "{", "}", "{host}", "{a}", "{b}", "{api_key}", "{access_token}", "https://", "*.", ":443", ".",
    "example.com", "@", "\\", "[a", "(a+)+", "(?i)x", "[[a]", "/", "?", "127.0.0.1", "xn--a", "com",
    "pypi:x==1", "2027-13", "Host",
]
# fmt: on
_PIECES = st.one_of(
    st.sampled_from([*_ODD, "A B", "\x00", "\u202e", "9" * 30, "a" * 300]), st.text(max_size=3)
)
_TEXTS = st.one_of(_NAMES, st.lists(_PIECES, max_size=5).map("".join))


def written_by_anybody(kind: Any) -> st.SearchStrategy[Any]:
    """Return what may stand in a place of this type, and is likely to be odd there."""
    inside = get_args(kind)
    if hasattr(kind, "__metadata__"):
        found = written_by_anybody(inside[0])
    elif get_origin(kind) is Literal:
        found = st.sampled_from(inside)
    elif get_origin(kind) in {Union, types.UnionType}:
        found = st.one_of(*(written_by_anybody(one) for one in inside))
    elif get_origin(kind) is tuple:
        found = st.lists(written_by_anybody(inside[0]), max_size=3)
    elif get_origin(kind) is dict:
        found = st.dictionaries(_NAMES, _TEXTS, max_size=3)
    else:
        found = _PLAIN[kind] if kind in _PLAIN else part_of(kind)
    return found


_PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.one_of(st.integers(-1, 1000), st.integers()),
    type(None): st.none(),
    str: _TEXTS,
}


def part_of(kind: type[Part]) -> st.SearchStrategy[dict[str, Any]]:
    """Return what stands for a part: what it needs, and anything of the rest."""
    needed: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in kind.model_fields.items():
        group = needed if field.is_required() or name in {"protocol", "kind"} else optional
        group[name] = _constrained(kind, name, field)
    return st.fixed_dictionaries(needed, optional=optional)


def _constrained(kind: type[Part], name: str, field: FieldInfo) -> st.SearchStrategy[Any]:
    """Return a field's strategy; where the contract allows few texts, some that it allows."""
    if name in {"url", "documentation"} and kind in {LegalDocument, SupportDetails}:
        return st.sampled_from(["https://example.com/a", "https://[::1]/"])
    return _FEW[name] if name in _FEW else written_by_anybody(field.annotation)


_SLUG = st.sampled_from(["a", "b", "keyturn", "e-mail", "x" * 64])
_SHORT = st.one_of(st.sampled_from(["a", "b", "host", "\u202e"]), st.text(min_size=1))
_FEW: Mapping[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("id", "slug", "publisher", "category"), _SLUG),
    **dict.fromkeys(("name", "title", "by", "description", "purpose", "why", "version"), _SHORT),
    "email": st.sampled_from(["a@example.com", "é@é"]),
    "lifetime_seconds": st.integers(30, 3600),
    "statuses": st.lists(st.integers(-1, 1000), min_size=1, max_size=3),
    "first_of": st.lists(_TEXTS, min_size=1, max_size=3),
}


ANYBODYS = part_of(Manifest)
SLUGS = st.sampled_from(sorted(ALL))


def parsed(given: dict[str, Any]) -> Manifest | None:
    try:
        return Manifest.model_validate(given)
    except ValidationError:
        return None


@given(ANYBODYS)
def test_judging_never_raises_and_says_sentences(anybodys: dict[str, Any]) -> None:
    manifest = parsed(anybodys)
    if manifest is None:
        return

    for sentence in problems_of(manifest, ["localhost", "a b", ""]):
        assert sentence.isprintable()
        assert 0 < len(sentence) <= 500


def test_anybodys_manifests_are_ones_that_the_contract_lets_through() -> None:
    """The property above would hold of nothing if the contract refused all of them."""
    seen: list[int] = []

    @given(ANYBODYS)
    def look(anybodys: dict[str, Any]) -> None:
        manifest = parsed(anybodys)
        if manifest is not None:
            seen.append(len(problems_of(manifest)))

    look()

    assert len(seen) > 20
    assert max(seen) > 3


@given(SLUGS, st.data())
def test_a_good_manifest_with_another_text_somewhere_is_judged(
    slug: str, data: st.DataObject
) -> None:
    """Near what is right is where a judge is most likely to fall."""
    place = data.draw(st.sampled_from(sorted(places(written(slug)))))

    found = parsed(changed(slug, place, data.draw(_TEXTS)))

    if found is not None:
        assert all(one.isprintable() for one in problems_of(found))


def places(value: object, before: str = "") -> Iterator[str]:
    """Return where something stands in it: `schemes.0.title`. Keys with dots are left out."""
    if isinstance(value, dict):
        inside = list(cast("dict[str, object]", value).items())
    elif isinstance(value, list):
        inside = [(str(number), one) for number, one in enumerate(cast("list[object]", value))]
    else:
        return
    for name, one in inside:
        if "." not in name:
            yield before + name
            yield from places(one, f"{before}{name}.")


@given(st.one_of(st.text(), ANYBODYS.map(as_text)))
def test_a_text_is_read_or_refused(text: str) -> None:
    with suppress(ManifestError):
        assert problems_of(read_manifest(text)) == []


def test_the_schema_is_made_of_every_part_of_a_manifest() -> None:
    known = set(manifest_schema()["$defs"]) - {"Use"}

    assert {"HttpProbe", "JwtAssertion", "SamlAssertion", "RotationFacts", "DomainRule"} <= known
