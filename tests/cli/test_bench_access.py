"""`keyturn bench access`: all who answer are asked the same, answer alike, and it can be read."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from keyturn_contracts.rights import Action, decide
from typer.testing import CliRunner

from deploy.bench.access import by_casbin, openfga_process
from deploy.bench.access.data import (
    Data,
    Moments,
    Question,
    generated_data,
    generated_questions,
)
from deploy.bench.access.in_process import (
    WrongAnswerError,
    check,
    measure,
    plain_sets,
    rule,
)
from deploy.bench.access.over_http import SIZES
from deploy.bench.access.report import rows_of
from deploy.bench.cli import bench

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENTS = Moments(soon=NOON - timedelta(hours=1), late=NOON + timedelta(days=365))
OPENFGA = openfga_process.built() is not None


def data() -> Data:
    return generated_data(members=200, accounts=60, grants=20, leavers=3, crowd=5)


def test_the_questions_are_different_and_the_same_every_time_and_have_every_answer() -> None:
    facts, questions = data().facts(MOMENTS), generated_questions(data(), 4000)

    assert len(set(questions)) == len(questions) == 4000
    assert generated_questions(data(), 4000) == questions
    found = Counter(decide(facts, *one, NOON).code for one in questions)
    assert set(found) == {
        "allowed",
        "not_a_member",
        "not_licensed",
        "not_enabled",
        "not_an_owner",
        "no_access",
    }
    ways = {decide(facts, *one, NOON).way for one in questions}
    assert ways == {"owner", "user", "everyone", None}


def test_some_questions_depend_on_an_end_that_has_come() -> None:
    questions = generated_questions(data(), 4000)
    facts = data().facts(MOMENTS)
    before = MOMENTS.soon - timedelta(minutes=1)

    assert [decide(facts, *one, before) for one in questions] != [
        decide(facts, *one, NOON) for one in questions
    ]


def test_sets_and_rules_agree_about_every_question() -> None:
    facts, questions = data().facts(MOMENTS), generated_questions(data(), 4000)

    sets = plain_sets(facts, NOON)

    assert [sets(*one) for one in questions] == [
        decide(facts, *one, NOON).allowed for one in questions
    ]


def test_a_wrong_answer_ends_the_measurement() -> None:
    questions: list[Question] = [("ada", "use", "mail"), ("bob", "share", "chat")]

    check("somebody", questions, [True, False], [True, False])
    with pytest.raises(WrongAnswerError, match=r"May bob share chat\? somebody says True"):
        check("somebody", questions, [True, False], [True, True])
    with pytest.raises(WrongAnswerError, match="1 answers to 2 questions"):
        check("somebody", questions, [True, False], [True])


def test_nobody_is_timed_who_answers_wrongly() -> None:
    facts, questions = data().facts(MOMENTS), generated_questions(data(), 500)
    expected = [decide(facts, *one, NOON).allowed for one in questions]

    def yes_man(_member: str, _action: Action, _account_id: str) -> bool:
        return True

    with pytest.raises(WrongAnswerError, match="yes_man says True"):
        measure(
            {"rule": (rule(facts, NOON), 500), "yes_man": (yes_man, 500)},
            questions,
            expected,
            repeats=1,
        )


@pytest.mark.skipif(not by_casbin.is_there(), reason=by_casbin.HOW_TO)
@pytest.mark.parametrize("looks_up", [False, True])
def test_casbin_and_rules_agree_about_every_question(*, looks_up: bool) -> None:
    facts, questions = data().facts(MOMENTS), generated_questions(data(), 300)

    judge = by_casbin.Casbin(facts, looks_up=looks_up).judge_at(NOON)

    assert [judge(*one) for one in questions] == [
        decide(facts, *one, NOON).allowed for one in questions
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """Run all of it, small, and return its report and what it said."""
    folder = tmp_path_factory.mktemp("bench-access")
    file = folder / "figures.json"
    words = (
        *("access", "--data-dir", str(folder / "data"), "--figures", str(file), "-o", "json"),
        *("--members", "40", "--accounts", "20", "--grants", "10", "--bulk", "200"),
        *("--revocations", "2", "--requests", "2", "--repeats", "1"),
        "--openfga" if OPENFGA else "--no-openfga",
    )

    run = CliRunner().invoke(bench, words, catch_exceptions=False)

    assert run.exit_code == 0, run.output
    report = json.loads(run.stdout)
    assert json.loads(file.read_text(encoding="utf-8")) == report
    return report, run.stderr


def test_everything_is_measured(whole: tuple[dict[str, Any], str]) -> None:
    report, said = whole

    judges = {"rule", "rule_with_sentences", "replica", "plain_sets"}
    servers = {"with_redis", "without_redis"}
    told = {"service", "cached_answer", "cached_answer_without_redis", "replica", "everywhere"}
    told |= {"outcome", "bare_aiokafka_and_one_commit"}
    changes = {"", "_in_replica", "_bare_sql"}
    if by_casbin.is_there():
        judges |= {"casbin", "casbin_by_account"}
        changes |= {"_casbin"}
    else:
        assert by_casbin.HOW_TO in said
    if OPENFGA:
        servers |= {"openfga", "openfga_with_cache"}
        told |= {"openfga"}
        changes |= {"_openfga"}
    assert set(report["in_process"]) == judges
    assert set(report["http"]) == servers
    for name, by_temper in report["http"].items():
        assert set(by_temper) == {"cold", "warm"} | ({"lent"} if name == "with_redis" else set())
        for by_size in by_temper.values():
            assert set(by_size) == set(map(str, SIZES))
            assert all(one["request"]["count"] == 2 for one in by_size.values())
            assert all(one["per_second"]["min"] > 0 for one in by_size.values())
    assert set(report["revocation"]) == told
    assert all(one["count"] == 2 for one in report["revocation"].values())
    assert set(report["bulk"]) == {
        f"{what}{how}" for what in ("grant", "revoke") for how in changes
    }
    assert report["replica"]["bytes_per_100000_grants"] > 0
    assert report["replica"]["after"]["kept"] - report["replica"]["before"]["kept"] == 200
    assert all(one > 0 for one in report["ratios"].values())


def test_the_figures_have_what_they_are_worth_nothing_without(
    whole: tuple[dict[str, Any], str],
) -> None:
    report, _ = whole

    assert report["command"] == "keyturn bench access"
    assert {"at", "cores", "load_before", "load_after", "python"} <= set(report["machine"])
    assert report["data"]["grants"].keys() == {"never", "late", "soon"}
    assert (report["data"]["members"], report["data"]["accounts"]) == (40, 20)
    assert (report["beside"]["casbin"] is None) is not by_casbin.is_there()
    assert (report["beside"]["openfga"] is None) is not OPENFGA
    for found in report["in_process"].values():
        ends = [found[name] for name in ("min_us", "p50_us", "p99_us", "max_us")]
        assert ends == sorted(ends)


def test_people_read_each_figure_in_a_line(
    whole: tuple[dict[str, Any], str],
) -> None:
    report, _ = whole

    rows = {one["what"]: one for one in rows_of(report)}

    assert rows["in process: rule"]["median"].endswith(" µs")
    assert rows["HTTP, 50 at once: without redis, cold"]["p99"].endswith(" ms")
    assert rows["revocation: everywhere"]["count"] == 2
    assert rows["200 members: grant bare sql"]["median"].endswith(" s")
    assert rows["replica: 100,000 grants more"]["median"].endswith(" MB")
