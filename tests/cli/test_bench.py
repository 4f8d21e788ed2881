"""`keyturn bench`: what is measured in process is answered rightly, and its figures can be read."""

import json
from pathlib import Path

from keyturn_contracts.domains import SUFFIX_LIST_VERSION, RuleSet, parse_rule
from typer.testing import CliRunner

from deploy.bench.cli import bench
from deploy.bench.domains import RULES, hit_urls, looks_at_each, miss_urls, rule_texts
from deploy.bench.search import (
    EXTENSIONS,
    KINDS,
    PAGE,
    SOUGHT,
    generated_cards,
    generated_queries,
    index_of,
    look_at_each,
)


def test_both_matchers_agree_about_every_url() -> None:
    rules = [parse_rule(text) for text in rule_texts()]
    listed = RuleSet(rules)

    assert len(listed.rules) == RULES == 150
    for allowed, urls in ((True, list(hit_urls())), (False, list(miss_urls()))):
        assert len(set(urls)) == 150
        assert [listed.decide(url).allowed for url in urls] == [allowed] * 150
        assert [looks_at_each(rules, url) for url in urls] == [allowed] * 150


def test_programs_read_the_figures_as_json(tmp_path: Path) -> None:
    file = tmp_path / "figures" / "domains.json"

    run = CliRunner().invoke(
        bench, ["domains", "--repeats", "2", "-o", "json", "--figures", str(file)]
    )

    assert run.exit_code == 0, run.output
    report = json.loads(run.stdout)
    assert json.loads(file.read_text(encoding="utf-8")) == report
    assert report["command"] == "keyturn bench domains"
    assert report["suffix_list"] == SUFFIX_LIST_VERSION
    assert (report["rules"], report["urls"], report["repeats"]) == (150, 300, 2)
    assert report["decide"]["count"] == report["looking_at_each_rule"]["count"] == 600
    assert report["decide_hits"]["count"] == report["decide_misses"]["count"] == 300
    for kind in ("decide", "decide_hits", "decide_misses", "looking_at_each_rule"):
        ends = [report[kind][name] for name in ("min_us", "p50_us", "p99_us", "max_us")]
        assert ends == sorted(ends)
        assert ends[0] > 0
    assert report["ratio_to_looking"] > 0


def test_people_read_a_table() -> None:
    run = CliRunner().invoke(bench, ["domains", "--repeats", "1"])

    assert run.exit_code == 0, run.output
    title, *rows = run.stdout.splitlines()
    assert title.split() == ["WHAT", "MEDIAN", "µs", "P99", "µs", "SAMPLES"]
    assert [row.rsplit(maxsplit=3)[0] for row in rows] == [
        "decide",
        "decide hits",
        "decide misses",
        "looking at each rule",
    ]
    assert "150 rules, 300 URLs" in run.stderr


def test_a_search_finds_what_is_typed_among_five_thousand() -> None:
    cards = list(generated_cards())
    queries = list(generated_queries(cards))
    find, look = index_of(cards), look_at_each(cards)

    assert len({card.slug for card in cards}) == len({card.name for card in cards}) == EXTENSIONS
    assert {one.kind for one in queries} == set(KINDS)
    names = {card.slug: card.name.casefold() for card in cards}
    texts = {card.slug: set(card.description.split()) for card in cards}
    for query in queries:
        found = find(query.text)
        match query.kind:
            case "exact":
                assert found[0] == query.slug
                assert query.slug in look(query.text)
            case "prefix":
                typed = query.text.rstrip()
                begin_so = [slug for slug in found if names[slug].startswith(typed)]
                assert found[: len(begin_so)] == begin_so
                assert query.slug in begin_so or len(begin_so) == PAGE
            case "misspelt":
                assert query.text != names[query.slug]
                assert query.slug in found
            case "description":
                having = {slug for slug, words in texts.items() if query.text in words}
                assert query.slug in having
                assert having & set(found) == having or len(found) == PAGE
            case "common_words":
                having = {slug for slug, words in texts.items() if words >= set(query.text.split())}
                assert query.slug in having
                assert having & set(found) == having or len(found) == PAGE
            case "short_words":
                assert query.slug in found or len(found) == PAGE


def test_the_same_is_searched_every_time() -> None:
    cards = list(generated_cards())

    assert list(generated_cards()) == cards
    assert list(generated_queries(cards)) == list(generated_queries(cards))


def test_programs_read_how_long_a_search_takes(tmp_path: Path) -> None:
    file = tmp_path / "search.json"

    run = CliRunner().invoke(
        bench, ["search", "--repeats", "2", "-o", "json", "--figures", str(file)]
    )

    assert run.exit_code == 0, run.output
    report = json.loads(run.stdout)
    assert json.loads(file.read_text(encoding="utf-8")) == report
    assert report["command"] == "keyturn bench search"
    assert (report["extensions"], report["repeats"]) == (EXTENSIONS, 2)
    for kind in ("exact", "misspelt", "description"):
        assert report[kind]["count"] == 2 * SOUGHT
    assert sum(report[kind]["count"] for kind in KINDS) == 2 * report["queries"]
    assert report["looking_at_each_extension"]["count"] == 2 * 2 * SOUGHT
    for kind in (*KINDS, "looking_at_each_extension"):
        ends = [report[kind][name] for name in ("min_ms", "p50_ms", "p99_ms", "max_ms")]
        assert ends == sorted(ends)
    assert report["ratio_to_looking"] > 0


def test_people_read_how_long_a_search_takes() -> None:
    run = CliRunner().invoke(bench, ["search", "--repeats", "1"])

    assert run.exit_code == 0, run.output
    title, *rows = run.stdout.splitlines()
    assert title.split() == ["WHAT", "MEDIAN", "ms", "P99", "ms", "SAMPLES"]
    assert [row.rsplit(maxsplit=3)[0] for row in rows] == [
        *(kind.replace("_", " ") for kind in KINDS),
        "looking at each extension",
    ]
    assert "5000 extensions" in run.stderr
