"""Side-by-side timing: contenders take turns in one process, and medians are compared."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def side_by_side(runs: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Median seconds of each run; one round of all to warm up, then ``repeats`` rounds in turn."""
    seconds: list[list[float]] = [[] for _ in runs]
    for turn in range(repeats + 1):
        for place, run in enumerate(runs):
            started = time.perf_counter()
            run()
            if turn:
                seconds[place].append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in seconds]


def row(
    work: str, ours: float, against: str, peer: float, bar: float, *, unit: str = "s", **more: Any
) -> Row:
    """One row of the results: the bar is the largest ratio ours / peer that reaches it."""
    ratio = ours / peer
    return {
        "work": work,
        "ours": ours,
        "against": against,
        "peer": peer,
        "unit": unit,
        "ratio": ratio,
        "bar": bar,
        "reached": ratio <= bar,
        **more,
    }


def machine() -> dict[str, object]:
    """What the figures were measured on, and how busy it was with other work."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = [li for li in info.read_text().splitlines() if li.startswith("model name")]
        model = found[0].split(":", 1)[1].strip() if found else model
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
        "packages": {name: version(name) for name in ("torch", "numpy", "numba", "frbench")},
        "measured_on": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def table(rows: Sequence[Row]) -> str:
    """The rows as text columns."""
    head = ("work", "ours", "against", "peer", "ratio", "bar", "")
    cells = [
        (
            r["work"],
            f"{r['ours']:.4g} {r['unit']}",
            r["against"],
            f"{r['peer']:.4g} {r['unit']}",
            f"{r['ratio']:.4g}",
            f"<= {r['bar']:.4g}",
            "reached" if r["reached"] else "NOT REACHED",
        )
        for r in rows
    ]
    width = [max(len(str(line[c])) for line in [head, *cells]) for c in range(len(head))]
    lines = [
        "  ".join(str(v).ljust(w) for v, w in zip(li, width, strict=True)) for li in [head, *cells]
    ]
    return "\n".join(line.rstrip() for line in lines)
