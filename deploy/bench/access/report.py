"""What the measurements came to: figures, ratios within the run, and rows for people."""

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deploy.bench.access.bulk import Taken
from deploy.bench.access.data import Data, Question
from deploy.bench.access.over_http import SIZES, Cell, Cells
from deploy.bench.figures import ratio, summary

_PER = 100_000
_LEAST_CPU_SECONDS = 0.05
"""Five of the units in which a system counts it."""

Repeats = Sequence[Sequence[float]]
"""Samples of each repeat."""


def figures(
    *,
    data: dict[str, Any],
    in_process: Mapping[str, Repeats],
    cells: Cells,
    revoking: Mapping[str, Sequence[float]],
    bulk: Taken,
    replica: dict[str, Any],
    resident: dict[str, int],
) -> dict[str, Any]:
    """Return all of it as it is written."""
    return {
        "data": data,
        "in_process": {name: _in_process(repeats) for name, repeats in in_process.items()},
        "http": _http(cells),
        "revocation": {name: summary(samples) for name, samples in revoking.items()},
        "bulk": {
            what: {"members": data["crowd"], **_spread(seconds, "s")}
            for what, seconds in bulk.items()
        },
        "replica": replica,
        "resident_bytes": resident,
        "ratios": _ratios(in_process, cells, revoking, bulk),
    }


def shape(data: Data, questions: Sequence[Question]) -> dict[str, Any]:
    """Return what the brand has and what is asked of it."""
    return {
        "members": len(data.members),
        "accounts": len(data.accounts) - len(data.left) - 1,
        "grants": dict(Counter(one.ends for one in data.grants)),
        "extensions": len(data.extensions),
        "questions": len(questions),
        "leavers": len(data.leavers),
        "crowd": len(data.crowd),
    }


def replica_size(
    before: Mapping[str, int], after: Mapping[str, int], grants: int
) -> dict[str, Any]:
    """Return a replica's size, and what so many grants more have added to it."""
    grown = after["bytes"] - before["bytes"]
    return {
        "before": dict(before),
        "after": dict(after),
        "grants": grants,
        "bytes_per_100000_grants": round(grown * _PER / grants) if grants else None,
    }


def rows_of(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table for people."""
    for name, found in report["in_process"].items():
        yield _row(f"in process: {name}", found, "us", found["per_second"])
    for name, by_temper in report["http"].items():
        for temper, by_size in by_temper.items():
            for size, found in by_size.items():
                what = f"HTTP, {size} at once: {name}, {temper}"
                row = _row(what, found["request"], "ms", found["per_second"])
                cpu = found["server_cpu_us_per_decision"]
                yield {**row, "cpu": None if cpu is None else f"{cpu} µs"}
    for name, found in report["revocation"].items():
        yield _row(f"revocation: {name}", found, "ms")
    for name, found in report["bulk"].items():
        yield {
            "what": f"{found['members']:,} members: {name.replace('_', ' ')}",
            "median": f"{found['median_s']} s",
            "spread": _from_to(found["min_s"], found["max_s"]),
            "count": found["count"],
        }
    size = report["replica"]["bytes_per_100000_grants"]
    if size is not None:
        yield {"what": "replica: 100,000 grants more", "median": f"{size / 1_000_000:.1f} MB"}


def _row(
    what: str, found: Mapping[str, Any], unit: str, rate: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    shown = unit.replace("u", "µ")
    row: dict[str, Any] = {
        "what": what.replace("_", " "),
        "median": f"{found[f'p50_{unit}']} {shown}",
        "p99": f"{found[f'p99_{unit}']} {shown}",
        "count": found["count"],
    }
    if rate is not None:
        row["per_second"] = f"{rate['median']:,.0f}"
        row["spread"] = _from_to(rate["min"], rate["max"])
    return row


def _from_to(least: float, most: float) -> str:
    return f"{least:,.6g} to {most:,.6g}"


def _in_process(repeats: Repeats) -> dict[str, Any]:
    per_second = [1_000_000 / statistics.fmean(samples) for samples in repeats]
    return {**summary(_all(repeats), "us"), "per_second": _spread(per_second)}


def _http(cells: Cells) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for (name, temper, size), cell in cells.items():
        by_temper = found.setdefault(name, {}).setdefault(temper, {})
        by_temper[str(size)] = {
            "request": summary(_all(cell.milliseconds)),
            "per_second": _spread(cell.per_second),
            "server_cpu_us_per_decision": _cpu_us(cell),
        }
    return found


def _cpu_us(cell: Cell) -> float | None:
    """Return what a decision took of a core, or None where it was too little to be counted."""
    if cell.cpu_seconds < _LEAST_CPU_SECONDS:
        return None
    return round(cell.cpu_seconds * 1_000_000 / cell.decisions, 1)


def _spread(samples: Sequence[float], unit: str = "") -> dict[str, float]:
    """Return the median of the repeats and both ends."""
    after = f"_{unit}" if unit else ""
    digits = 3 if unit else 0
    return {
        "count": len(samples),
        f"median{after}": round(statistics.median(samples), digits),
        f"min{after}": round(min(samples), digits),
        f"max{after}": round(max(samples), digits),
    }


def _ratios(
    in_process: Mapping[str, Repeats],
    cells: Cells,
    revoking: Mapping[str, Sequence[float]],
    bulk: Taken,
) -> dict[str, float]:
    """Return how many times as long something takes as what it is beside, by medians of this run.

    Of HTTP how many times as many decisions a second: more is better there, and less elsewhere.
    """
    return {
        **_to_judges(in_process),
        **_to_servers(cells),
        **_to_revoking(revoking),
        **_to_others_in_bulk(bulk),
    }


def _to_judges(in_process: Mapping[str, Repeats]) -> dict[str, float]:
    return {
        f"{name}_time_to_{other}": _exact(_all(in_process[name]), _all(in_process[other]))
        for name in ("rule", "replica")
        for other in ("plain_sets", "casbin", "casbin_by_account")
        if other in in_process
    }


def _to_servers(cells: Cells) -> dict[str, float]:
    return {
        f"warm_http_{size}_rate_to_{other}": ratio(
            cells["with_redis", "warm", size].per_second, cells[other, "warm", size].per_second
        )
        for size in SIZES
        for other in ("without_redis", "openfga", "openfga_with_cache")
        if (other, "warm", size) in cells
    }


def _to_revoking(revoking: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {
        f"revocation_{name}_time_to_{other}": ratio(revoking[name], revoking[other])
        for name in ("service", "cached_answer", "cached_answer_without_redis", "replica")
        for other in ("bare_aiokafka_and_one_commit", "openfga")
        if other in revoking
    }


def _to_others_in_bulk(bulk: Taken) -> dict[str, float]:
    return {
        f"{what}_time_to_{other}": _exact(bulk[what], bulk[f"{what}_{other}"])
        for what in ("grant", "revoke")
        for other in ("bare_sql", "openfga", "casbin")
        if f"{what}_{other}" in bulk
    }


def _exact(ours: Sequence[float], theirs: Sequence[float]) -> float:
    # Some are thousands of times as fast: two digits behind the point would show nothing.
    return float(f"{statistics.median(ours) / statistics.median(theirs):.3g}")


def _all(repeats: Repeats) -> list[float]:
    return [sample for samples in repeats for sample in samples]
