"""The digest of what an engine holds, against vectors that every implementation has to meet."""

import hashlib
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyturn_contracts.digest import EMPTY, add, binding_digest, from_hex, sum_of, to_hex

VECTORS: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("digest_vectors.json").read_text(encoding="utf-8")
)["cases"]
NAMES = st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=12, unique=True)


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_a_vector_is_met(case: dict[str, Any]) -> None:
    digests = [binding_digest(*one) for one in case["bindings"]]

    assert [to_hex(one) for one in digests] == case["digests"]
    assert to_hex(sum_of(digests)) == case["sum"]


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_a_vector_is_what_the_words_say(case: dict[str, Any]) -> None:
    """Compute it a second way, straight from the sentence."""
    total = 0
    for binding in case["bindings"]:
        encoded = [one.encode() for one in binding]
        covered = b"".join(len(one).to_bytes(4, "big") + one for one in encoded)
        total += int(hashlib.sha256(covered).hexdigest(), 16)

    assert f"{total % 2**256:064x}" == case["sum"]


def test_the_empty_set_is_zeros() -> None:
    assert to_hex(sum_of([])) == EMPTY == "0" * 64


def test_each_case_is_different_from_every_other() -> None:
    assert len({case["sum"] for case in VECTORS}) == len(VECTORS)


@given(NAMES, st.randoms(use_true_random=False))
def test_the_order_does_not_matter_and_one_is_added_or_taken_away_alone(
    names: list[tuple[str, str, str]], shuffled: Random
) -> None:
    digests = [binding_digest(*one) for one in names]
    other = list(digests)
    shuffled.shuffle(other)
    middle = len(other) // 2

    partly = sum_of(other[:middle])
    assert add(partly, added=other[middle:]) == sum_of(digests)
    assert add(sum_of(digests), removed=other[middle:]) == partly


@given(st.integers(min_value=0, max_value=2**256 - 1))
def test_a_digest_is_read_as_it_was_written(digest: int) -> None:
    assert from_hex(to_hex(digest)) == digest
    assert len(to_hex(digest)) == 64


@pytest.mark.parametrize(
    "text", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "-" + "0" * 63, " " * 64]
)
def test_what_is_no_digest_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case"):
        from_hex(text)
