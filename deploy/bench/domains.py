"""Measures how long a list of 150 domain rules takes to judge a URL, beside a look at each rule."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import ada_url
from keyturn_contracts.domains import SUFFIX_LIST_VERSION, Rule, RuleSet, parse_rule

from deploy.bench.figures import machine, ratio, summary, write

RULES = 150
TENANTS = 30
_PATH = "/v1/items/42?page=7&size=50#top"
_WARM_UP = 2

Judge = Callable[[str], bool]
"""Whether a URL may be connected to."""


def measure(output: Path | None, *, repeats: int) -> dict[str, Any]:
    """Measure, write the figures as JSON where a file is named, and return them."""
    before = machine()
    report = {
        "command": "keyturn bench domains",
        "machine": before,
        "suffix_list": SUFFIX_LIST_VERSION,
        **measure_matching(repeats=repeats),
    }
    if output is not None:
        write(output, report)
    return report


def measure_matching(*, repeats: int = 5) -> dict[str, Any]:
    """Return how long one URL takes, in microseconds, with the reading of the URL.

    Each call is a sample. Both matchers judge the same URLs in turns, so that what else happens on
    the machine meets them alike; before the first turn both have seen all of them.
    """
    rules = [parse_rule(text) for text in rule_texts()]
    hits, misses = list(hit_urls()), list(miss_urls())
    listed = RuleSet(rules)

    def by_index(url: str) -> bool:
        return listed.decide(url).allowed

    def by_looking(url: str) -> bool:
        return looks_at_each(rules, url)

    taken: dict[str, list[float]] = {"hits": [], "misses": [], "looking": []}
    for turn in range(_WARM_UP + repeats):
        found = {
            "hits": _samples(by_index, hits, expected=True),
            "misses": _samples(by_index, misses, expected=False),
            "looking": [
                *_samples(by_looking, hits, expected=True),
                *_samples(by_looking, misses, expected=False),
            ],
        }
        if turn >= _WARM_UP:
            for kind, samples in found.items():
                taken[kind] += samples
    all_of_it = [*taken["hits"], *taken["misses"]]
    return {
        "rules": len(rules),
        "urls": len(hits) + len(misses),
        "repeats": repeats,
        "decide": summary(all_of_it, "us"),
        "decide_hits": summary(taken["hits"], "us"),
        "decide_misses": summary(taken["misses"], "us"),
        "looking_at_each_rule": summary(taken["looking"], "us"),
        "ratio_to_looking": ratio(all_of_it, taken["looking"]),
    }


def rule_texts() -> Iterator[str]:
    """Yield 150 rules of the kinds that an extension with many accounts has."""
    for number in range(TENANTS):
        yield f"tenant-{number}.service.example.com"
        yield f"*.region-{number}.cloud.example.net"
        yield f"mail-{number}.example.org:587"
        yield f"api.customer-{number}.co.uk"
        yield f"*.customer-{number}.com"


def hit_urls() -> Iterator[str]:
    for number in range(TENANTS):
        yield f"https://tenant-{number}.service.example.com{_PATH}"
        yield f"https://a.b.c.region-{number}.cloud.example.net{_PATH}"
        yield f"smtp://mail-{number}.example.org:587"
        yield f"https://API.Customer-{number}.co.uk:443{_PATH}"
        yield f"https://www.customer-{number}.com{_PATH}"


def miss_urls() -> Iterator[str]:
    for number in range(TENANTS):
        yield f"https://tenant-{number}.other.example.com{_PATH}"
        yield f"https://region-{number}.cloud.example.net{_PATH}"
        yield f"https://mail-{number}.example.org:8443{_PATH}"
        yield f"https://a.b.c.d.e.f.g.h.customer-{number}.co.uk{_PATH}"
        yield f"http://www.customer-{number}.com{_PATH}"


def looks_at_each(rules: Sequence[Rule], url: str) -> bool:
    """Judge a URL the plain way: read it as a browser does, then look at rule after rule."""
    read = ada_url.parse_url(url.replace("smtp:", "https:"), ("protocol", "hostname", "port"))
    host, port = read.get("hostname", ""), int(read.get("port") or 443)
    return read.get("protocol") == "https:" and any(
        rule.port == port
        and (host.endswith(f".{rule.host}") if rule.wildcard else host == rule.host)
        for rule in rules
    )


def figures_of(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table for people."""
    for kind in ("decide", "decide_hits", "decide_misses", "looking_at_each_rule"):
        yield {"what": kind.replace("_", " "), **report[kind]}


def _samples(judge: Judge, urls: Sequence[str], *, expected: bool) -> list[float]:
    taken: list[float] = []
    for url in urls:
        began = perf_counter_ns()
        allowed = judge(url)
        taken.append((perf_counter_ns() - began) / 1000)
        if allowed != expected:
            raise AssertionError(f"{url} was judged wrongly, so its time says nothing.")
    return taken
