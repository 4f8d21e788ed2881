"""No secret is in what people read, whatever it is and whatever a provider answers."""

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

from hypothesis import given, settings
from hypothesis import strategies as st

from services.credential_vault.providers.answers import clean_answer
from services.credential_vault.providers.https import Answer
from services.credential_vault.providers.judging import Judged, finding_of, meaning_of

secrets = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp", "Cf", "Cn", "Co"]),
    min_size=8,
    max_size=60,
)
around = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


def everything(one: str) -> str:
    return "".join(f"%{byte:02X}" for byte in one.encode())


ENCODINGS: list[Callable[[str], str]] = [
    str,
    str.upper,
    str.lower,
    " ".join,
    lambda one: one[1:7],
    lambda one: one.encode().hex(),
    lambda one: base64.b64encode(one.encode()).decode(),
    lambda one: base64.urlsafe_b64encode(b"u:" + one.encode()).decode(),
    lambda one: base64.b64encode(b"user:" + one.encode()).decode(),
    lambda one: quote(one, safe=""),
    quote,
    quote_plus,
    everything,
    lambda one: json.dumps(one)[1:-1],
    lambda one: json.dumps(one, ensure_ascii=False)[1:-1],
    lambda one: "".join(f"\\u{ord(c):04x}" if ord(c) < 2**16 else c for c in one),
    html.escape,
    lambda one: "".join(f"&#{ord(c)};" for c in one),
    lambda one: quote(json.dumps(one)),
]


@settings(deadline=None)
@given(secrets, st.sampled_from(ENCODINGS), around, around)
def test_an_answer_that_repeats_a_secret_in_any_way_is_not_shown(
    secret: str, encode: Callable[[str], str], before: str, after: str
) -> None:
    assert clean_answer(before + encode(secret) + after, secrets=[secret]) == ""


PLACES: list[Callable[[str], bytes]] = [
    lambda one: json.dumps({"message": one}).encode(),
    lambda one: json.dumps({"error": {"message": f"Key {one} is bad."}}).encode(),
    lambda one: json.dumps({"errors": [{"detail": one}]}).encode(),
    lambda one: json.dumps([{"message": one}], ensure_ascii=False).encode(),
    lambda one: json.dumps({"error": "no", "error_description": one}).encode(),
    lambda one: json.dumps({"data": one, one: 1}).encode(),
    lambda one: f"The key {one} is bad.".encode(),
]


@settings(deadline=None)
@given(
    secrets.filter(lambda one: one not in "answered something that is not JSON"),
    st.sampled_from(ENCODINGS),
    st.sampled_from(PLACES),
    st.sampled_from([200, 302, 400, 401, 403, 404, 500]),
    st.sampled_from(["text/plain", "application/json"]),
)
def test_no_finding_shows_a_secret(
    secret: str,
    encode: Callable[[str], str],
    place: Callable[[str], bytes],
    status: int,
    media_type: str,
) -> None:
    answer = Answer(status=status, content=place(encode(secret)), media_type=media_type)
    judged = Judged.of(answer)

    finding = finding_of(
        meaning_of(judged, ()),
        judged,
        "api.example.com",
        lambda text: clean_answer(text, secrets=[secret]),
    )

    said = finding.said.casefold()
    assert encode(secret).casefold() not in said
    assert secret.casefold() not in said
    assert finding.said.isprintable()
    assert len(finding.said) < 400
    assert f"answered {status}" in finding.said


@settings(deadline=None)
@given(st.binary(max_size=2000), st.integers(200, 599))
def test_whatever_an_answer_is_there_is_a_finding_about_it(content: bytes, status: int) -> None:
    judged = Judged.of(Answer(status=status, content=content, media_type="text/plain"))

    finding = finding_of(
        meaning_of(judged, ()), judged, "h", lambda text: clean_answer(text, secrets=[])
    )

    assert finding.said.isprintable()
    assert len(finding.said) < 400
