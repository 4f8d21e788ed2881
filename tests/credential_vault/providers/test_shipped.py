"""Every scheme that is shipped can be tried as its manifest says, or says why it cannot yet."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keyturn_contracts.catalog import FieldSpec, Manifest, Scheme
from keyturn_contracts.probes import ConsentProbe

from services.catalog.jobs import MANIFESTS, read_manifests
from services.credential_vault.providers.finding import Finding
from services.credential_vault.providers.http import HttpTry
from services.credential_vault.providers.probes import fill_probe
from services.credential_vault.rules.addresses import reachable
from services.credential_vault.rules.entitlement import Entitlement
from tests.credential_vault.probing import secret_fields
from tests.credential_vault.ssh import HOST_KEY, line_of

TYPED = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
SHIPPED = [(one, scheme) for one in read_manifests(MANIFESTS) for scheme in one.schemes]


def value_for(spec: FieldSpec, data: st.DataObject) -> str:
    """Return what somebody may give: the example, or for a secret what its pattern lets through."""
    if spec.name == "host_key":
        return line_of(HOST_KEY)
    if spec.example is not None:
        return spec.example
    if spec.pattern is None:
        return "some-value"
    return data.draw(st.from_regex(spec.pattern, fullmatch=True, alphabet=TYPED))


@pytest.mark.parametrize(
    ("manifest", "scheme"), SHIPPED, ids=[f"{one.slug}-{scheme.id}" for one, scheme in SHIPPED]
)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), everything=st.booleans())
def test_a_shipped_scheme_can_be_tried(
    manifest: Manifest, scheme: Scheme, data: st.DataObject, *, everything: bool
) -> None:
    """With all that can be given, and with no more than what has to be."""

    def chosen(specs: tuple[FieldSpec, ...]) -> dict[str, str]:
        wanted = [one for one in specs if one.required or everything]
        return {one.name: value_for(one, data) for one in wanted}

    # Where brands name the hosts, this one has named those of the examples.
    own = reachable(manifest, Entitlement(declared=manifest.domains, added=("*.example.com",)))
    found = fill_probe(
        own, scheme.id, chosen(manifest.settings), secret_fields(chosen(scheme.fields))
    )

    if isinstance(scheme.probe, ConsentProbe):
        assert isinstance(found, Finding)
        assert found.verdict == "scheme_not_supported"
        assert scheme.title in found.said
    elif isinstance(found, HttpTry):
        token = found.token.target if found.token is not None else None
        for target in [found.target, *([token] if token is not None else [])]:
            assert "{" not in target.target
    else:
        assert not isinstance(found, Finding), found
