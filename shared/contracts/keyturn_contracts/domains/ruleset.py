"""What a list of rules says of a URL: may it be connected to, by which rule, or why not."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import ada_url

from keyturn_contracts.domains.name import in_both_spellings
from keyturn_contracts.domains.owners import SUFFIX_LIST_VERSION
from keyturn_contracts.domains.rule import Rule
from keyturn_contracts.installation import ALL_BLOCKED

ConnectionCode = Literal[
    "allowed",
    "nothing_listed",
    "not_listed",
    "port_differs",
    "scheme_refused",
    "url_invalid",
    "ip_literal",
    "user_info",
]

DEFAULT_PORTS = {"https": 443, "sftp": 22, "ssh": 22, "smtp": 25, "smtps": 465}
"""The schemes that may be connected to: encrypted ones, and SMTP, which changes to TLS."""

_URL = re.compile(
    # What programs read in different ways is in no authority: `\` is a slash for a browser and a
    # letter for others, `%` is decoded or not, tabs are dropped or not; `ß` is one letter in IDNA
    # 2008 and two in IDNA 2003.
    "([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\x00-\x20\x7f\\\\%ßẞς\u200c\u200d]+)"
    "(?:[/?#][^\x00-\x1f\x7f\ud800-\udfff]*)?"
)
_BARE_HOST = re.compile("[^/?#\x00-\x20\x7f\\\\%@:\\[\\]]+")
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_EXPLICITLY_443 = re.compile(r":0*443$")


@dataclass(frozen=True, slots=True)
class Connection:
    """The answer about one URL. Who connects uses `host` and `port` as they stand here.

    `rule` lets it through; `near` is one that would but for its port. `host` and `port` are None
    where the URL has none that can be judged.
    """

    suffix_list: ClassVar[str] = SUFFIX_LIST_VERSION
    """To be recorded with the decision: what the rules were judged with."""

    allowed: bool
    code: ConnectionCode
    rule: Rule | None = None
    host: str | None = None
    port: int | None = None
    near: Rule | None = None

    @property
    def sentence(self) -> str:
        """For people. It repeats nothing of the URL but its host and port."""
        host = f"`{in_both_spellings(self.host)}`" if self.host else "It"
        match self.code:
            case "allowed":
                return f"{host} may be reached by the rule `{self.rule}`."
            case "port_differs":
                return f"{host} is listed as `{self.near}`, which is not for port {self.port}."
            case "not_listed":
                return f"{host} is not on the list of domains.{self._hint()}"
            case code:
                return _SENTENCES[code]

    def _hint(self) -> str:
        if self.near is None:
            return ""
        return f" `{self.near}` is for what is below `{self.near.host}`, and not for it itself."


_SENTENCES: dict[ConnectionCode, str] = {
    "nothing_listed": f"{ALL_BLOCKED} There is none on the list.",
    "scheme_refused": f"Only these may be connected to: {', '.join(DEFAULT_PORTS)}.",
    "url_invalid": (
        "This is no URL that every program reads alike: write `https://`, the name, and nothing "
        "else before the path."
    ),
    "ip_literal": "IP addresses are never on the list: use the name of the host.",
    "user_info": "A URL with a user name or a password in it is refused: send them another way.",
}


class RuleSet:
    """A list of rules, built once and asked often. No rules: all is blocked."""

    __slots__ = ("_below", "_exact", "rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(dict.fromkeys(rules))
        self._exact: dict[str, dict[int, Rule]] = {}
        self._below: dict[str, dict[int, Rule]] = {}
        for rule in self.rules:
            by_host = self._below if rule.wildcard else self._exact
            by_host.setdefault(rule.host, {})[rule.port] = rule

    def decide(self, url: str) -> Connection:
        """Say whether this URL may be connected to. Never raises, whatever the text is.

        The URL is read as browsers read it (WHATWG); one that other programs read differently is
        refused, so that nobody connects elsewhere than to what was judged.
        """
        if not self.rules:
            return Connection(allowed=False, code="nothing_listed")
        target = _target(url)
        if not isinstance(target, tuple):
            return Connection(allowed=False, code=target)
        host, port = target
        near: Rule | None = None
        for by_port in self._matching(host):
            if (rule := by_port.get(port)) is not None:
                return Connection(allowed=True, code="allowed", rule=rule, host=host, port=port)
            near = near or next(iter(by_port.values()))
        if near is not None:
            return Connection(allowed=False, code="port_differs", host=host, port=port, near=near)
        near = self._below.get(host, {}).get(port)
        return Connection(allowed=False, code="not_listed", host=host, port=port, near=near)

    def allows(self, host: str, port: int) -> bool:
        """Tell whether this host may be connected to at this port."""
        read = _as_a_browser(host) if _BARE_HOST.fullmatch(host) else None
        return isinstance(read, tuple) and any(port in one for one in self._matching(read[0]))

    def _matching(self, host: str) -> Iterator[dict[int, Rule]]:
        """Yield the rules for a host by their ports, the narrowest first."""
        if (found := self._exact.get(host)) is not None:
            yield found
        at = host.find(".")
        while at >= 0:
            if (found := self._below.get(host[at + 1 :])) is not None:
                yield found
            at = host.find(".", at + 1)


def _target(url: str) -> tuple[str, int] | ConnectionCode:
    """Return the host in A-labels and the port that a URL means, or why there is none."""
    found = _URL.fullmatch(url)
    if found is None:
        return "url_invalid"
    scheme, authority = found[1].lower(), found[2]
    if scheme not in DEFAULT_PORTS:
        return "scheme_refused"
    if "@" in authority:
        return "user_info"
    read = _as_a_browser(authority)
    if not isinstance(read, tuple):
        return read
    host, port = read
    if port:
        return host, int(port)
    # A browser says nothing of the port that is its scheme's own.
    is_443 = _EXPLICITLY_443.search(authority) is not None
    return host, 443 if is_443 else DEFAULT_PORTS[scheme]


def _as_a_browser(authority: str) -> tuple[str, str] | ConnectionCode:
    try:
        read = ada_url.parse_url(f"https://{authority}", ("hostname", "port", "host_type"))
    except ValueError:
        return "url_invalid"
    if read.get("host_type") != ada_url.HostType.DEFAULT:
        return "ip_literal"
    host = read.get("hostname", "").removesuffix(".")
    return (host, read.get("port", "")) if _HOST.fullmatch(host) else "url_invalid"
