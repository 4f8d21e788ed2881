"""`keyturn bench domains`: what is measured is judged rightly, and the figures can be read."""

import json
from pathlib import Path

from keyturn_contracts.domains import SUFFIX_LIST_VERSION, RuleSet, parse_rule
from typer.testing import CliRunner

from deploy.bench.cli import bench
from deploy.bench.domains import RULES, hit_urls, looks_at_each, miss_urls, rule_texts


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
