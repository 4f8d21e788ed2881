"""What the installation service's tests begin with: extensions, licences, accounts and engines."""

from datetime import UTC, datetime, timedelta
from typing import Any

from keyturn_contracts.actor import Role
from keyturn_contracts.catalog import (
    AdditionalDomains,
    BrandData,
    DerivedSetting,
    DomainRule,
    ExtensionChanged,
    ExtensionPublished,
    ExtensionRetired,
    FieldSpec,
    LegalDocument,
    Manifest,
    Permission,
    RotationFacts,
    Scheme,
    SupportDetails,
)
from keyturn_contracts.credential_vault import AccountAdded, AccountChanged, AccountDeleted
from keyturn_contracts.installation import (
    AcceptChange,
    AddDomains,
    InstallExtension,
    RemoveDomains,
    UninstallExtension,
)
from keyturn_contracts.keys import new_engine_sealing_key, new_signing_key, public_jwk
from keyturn_contracts.probes import NothingToProbe
from keyturn_contracts.workflow import (
    EngineChanged,
    EngineRetired,
    ExtensionUse,
    Reach,
    WorkflowsChanged,
)

from services.installation.rules.review import Offer, Review, digest_of, offer_of, review_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
ADMINISTRATOR: frozenset[Role] = frozenset({"administrator"})

LOUD = "loud-mail"
"""A third party's extension: two domains, one filled by accounts; brands may add domains."""
STRICT = "strict-chat"
"""A third party's extension whose domains are fixed."""
RELAY = "smtp-relay"
"""A first-party extension whose only domain is filled by accounts."""
WEB = "web-service"
"""A first-party extension without domains; brands may add them."""
NEWS = "news-mail"
"""A third party's, as `LOUD`, for tests of the catalog's news: the twin has it no more."""
FEED = "feed-reader"
"""A first-party one, likewise: nobody has heard of it yet."""

HOST = "[a-z0-9.-]+"
PORT = "[0-9]{1,5}"
API = DomainRule(rule="api.example.com", purpose="Templates.")
SERVER = DomainRule(
    rule="{host}:{port}", purpose="The brand's mail server.", slots={"host": HOST, "port": PORT}
)
MAY_ADD = AdditionalDomains(allowed=True, why="A brand may link to pictures of its own.")
FIXED = AdditionalDomains(allowed=False, why="It needs no others.")
CONTACTS = Permission(data="contacts", purpose="The addresses that mail is sent to.")
PRIVACY = LegalDocument(url="https://example.com/privacy", version="3")
TERMS = LegalDocument(url="https://example.com/terms", version="2026-01")

_SIG = public_jwk(new_signing_key(), "sig")
_ENC = public_jwk(new_engine_sealing_key(), "enc")


def manifest(slug: str = LOUD, **changes: Any) -> Manifest:
    """Return that of a third party's extension, unless `changes` say otherwise."""
    plain: dict[str, Any] = {
        "slug": slug,
        "name": slug.replace("-", " ").title(),
        "publisher": slug,
        "by": f"{slug.title()} Ltd",
        "party": "third",
        "category": "email",
        "description": "Sends mail.",
        "preview": True,
        "settings": (FieldSpec(name="host", title="Host"), FieldSpec(name="port", title="Port")),
        "schemes": (
            Scheme(
                id="secret",
                title="A secret",
                fields=(FieldSpec(name="secret", title="Secret", secret=True),),
                probe=NothingToProbe(),
            ),
        ),
        "domains": (API, SERVER),
        "additional_domains": MAY_ADD,
        "permissions": (CONTACTS,),
        "support": SupportDetails(name="Support", email="help@example.com", hours="9 to 5"),
        "privacy_policy": PRIVACY,
        "terms": TERMS,
        "rotation": RotationFacts(rotation_class="unknown"),
    }
    return Manifest.model_validate(plain | changes)


def first_party(slug: str = RELAY, **changes: Any) -> Manifest:
    of_the_platform: dict[str, Any] = {
        "party": "first",
        "publisher": "keyturn",
        "by": "Keyturn",
        "preview": False,
        "domains": (SERVER,),
        "additional_domains": None,
        "permissions": (),
        "privacy_policy": None,
        "terms": None,
    }
    return manifest(slug, **(of_the_platform | changes))


LOUD_MAIL = manifest()
STRICT_CHAT = manifest(STRICT, domains=(API,), additional_domains=FIXED, preview=False)
SMTP_RELAY = first_party()
WEB_SERVICE = first_party(WEB, domains=(), additional_domains=MAY_ADD)
NEWS_MAIL = manifest(NEWS)
FEED_READER = first_party(FEED, domains=(API,))
_BY_SLUG = {
    one.slug: one
    for one in (LOUD_MAIL, STRICT_CHAT, SMTP_RELAY, WEB_SERVICE, NEWS_MAIL, FEED_READER)
}


def review(version: int = 1, slug: str = LOUD, **changes: Any) -> Review:
    return review_of(manifest(slug, **changes), version)


def offer(version: int = 1, slug: str = LOUD, **changes: Any) -> Offer:
    return Offer(review(version, slug, **changes))


def published(of: Manifest, version: int = 1) -> ExtensionChanged:
    return ExtensionPublished(manifest=of, version=version)


def retired(of: Manifest, version: int = 1) -> ExtensionChanged:
    return ExtensionRetired(manifest=of, version=version, state="retired")


def first_offer(slug: str = RELAY, version: int = 1, **changes: Any) -> Offer:
    return offer_of(published(first_party(slug, **changes), version))


def permission(data: BrandData, purpose: str = "It needs them.") -> Permission:
    return Permission(data=data, purpose=purpose)


def domain(rule: str, **changes: Any) -> DomainRule:
    return DomainRule(rule=rule, purpose=f"Why {rule}.", **changes)


def derived(name: str, *templates: str) -> DerivedSetting:
    return DerivedSetting(name=name, first_of=templates)


def account(
    account_id: str = "a1", extension: str = LOUD, *, creator: str = "ada", **settings: str
) -> AccountChanged:
    return AccountAdded.model_validate(_account(account_id, extension, creator, settings))


def account_deleted(account_id: str = "a1", extension: str = LOUD) -> AccountChanged:
    state = _account(account_id, extension, "ada", {})
    return AccountDeleted.model_validate(state | {"state": "deleted", "version": 2})


def _account(
    account_id: str, extension: str, creator: str, settings: dict[str, str]
) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "extension": extension,
        "scheme": "secret",
        "name": f"Account {account_id}",
        "settings": settings or {"host": "smtp.example.net", "port": "587"},
        "creator": creator,
        "state": "connected",
        "version": 1,
        "retire": "PT15M",
    }


def engine(
    engine_id: str = "e1",
    *uses: tuple[str, int, int],
    is_retired: bool = False,
    fingerprint: str = "",
) -> EngineChanged:
    """Return an engine that uses extensions: slug, workflows, tasks; and which those are."""
    kind = EngineRetired if is_retired else WorkflowsChanged
    return kind(
        engine_id=engine_id,
        name=f"Engine {engine_id}",
        engine_kind="confirming",
        reach=Reach(all=True),
        sig=_SIG,
        enc=_ENC,
        state="retired" if is_retired else "registered",
        uses=tuple(
            ExtensionUse(extension=slug, workflows=workflows, tasks=tasks, fingerprint=fingerprint)
            for slug, workflows, tasks in uses
        ),
    )


def install(slug: str = LOUD, digest: str | None = None) -> InstallExtension:
    """Accept version 1 as it is published, unless told otherwise."""
    accepts = digest or digest_of(review_of(_BY_SLUG[slug], 1))
    return InstallExtension(extension=slug, accepts=accepts)


def accept(digest: str, slug: str = LOUD) -> AcceptChange:
    return AcceptChange(extension=slug, accepts=digest)


def add(*domains: str, slug: str = LOUD, reason: str = "Our pictures.") -> AddDomains:
    return AddDomains(extension=slug, domains=domains, reason=reason)


def remove(*domains: str, slug: str = LOUD, reason: str = "They moved.") -> RemoveDomains:
    return RemoveDomains(extension=slug, domains=domains, reason=reason)


def uninstall(
    slug: str = LOUD, revision: str | None = None, *, force: bool = False
) -> UninstallExtension:
    return UninstallExtension(
        extension=slug, revision=revision, force=force, reason="We changed to another."
    )
