"""A finished run -> its counts per cell, the small ones held back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from frbench.errors import InputError
from frbench.exchange.suppression import CountTable, Suppression, small_groups, suppress
from frbench.reporting import ReportData
from frbench.values import ALL, Bools, Threshold

VERSION = 1
KINDS = ("FMR", "FNMR", "FTE")
LEAST_K = 5
"""Below this a bundle would show counts of a handful of people."""


@dataclass(frozen=True)
class Cell:
    """Counts of one cell; None is held back.

    Attributes:
        kind: FMR, FNMR or FTE.
        point: operating point; "" for FTE, which has none.
        probe_group, reference_group: ``all`` twice is the total; a group and ``all`` is the margin
            of every comparison in which the group takes part.
        errors, comparisons: counts.
        effective: comparisons that independent persons are worth, so that Wilson's interval with
            them is the run's own; margins of a group have none.
    """

    kind: str
    point: str
    probe_group: str
    reference_group: str
    errors: int | None
    comparisons: int | None
    effective: float | None


@dataclass(frozen=True)
class Bundle:
    """What a force hands out.

    Attributes:
        source: who made it, in the user's words.
        k: smallest count that it shows.
        about: matcher, set, labels and policy, without any path or id.
        thresholds: operating point -> score.
        groups: group, persons and images; the latter two None where held back.
        totals: persons and images of all groups.
        cells: counts per cell, margins and totals.
    """

    source: str
    k: int
    about: dict[str, Any]
    thresholds: dict[str, float]
    groups: tuple[tuple[str, int | None, int | None], ...]
    totals: tuple[int, int]
    cells: tuple[Cell, ...]
    sha256: str = field(default="", compare=False)


def bundle_of(run: ReportData, *, source: str, k: int = 10, arm: str | None = None) -> Bundle:
    """The bundle of one matcher of a run.

    Args:
        run: an ``evaluate`` run as it is stored.
        source: who hands it out.
        k: smallest count to show.
        arm: which matcher, where there are two; default: the later.

    Raises:
        InputError: ``k`` is too small, or there is no such arm.
    """
    if k < LEAST_K:
        raise InputError(f"k={k} would show counts of a handful of people; take {LEAST_K} or more.")
    arms = list(run.thresholds)
    chosen = arms[-1] if arm is None else arm
    if chosen not in arms:
        raise InputError(f"arm={arm}: the run has {', '.join(arms) or 'no arm'}.")
    points = sorted(run.thresholds[chosen], key=lambda point: point.value)
    if len({point.label for point in points}) < len(points):
        raise InputError("the run has two operating points of one name; export one of them.")
    rates = run.rates[run.rates["arm"] == chosen]
    counts = run.counts.set_index("group").reindex(list(run.groups)).fillna(0).astype("int64")
    persons = counts["subjects"].to_numpy()
    small = small_groups(persons, k)
    cells: list[Cell] = []
    for kind in KINDS:
        labels = [point.label for point in points] if kind != "FTE" else [""]
        cells += _cells(rates[rates["kind"] == kind], kind, labels, run.groups, small, k)
    images = counts["images"].to_numpy()
    groups = tuple(
        (str(name), None if small[at] else int(persons[at]), None if small[at] else int(images[at]))
        for at, name in enumerate(run.groups)
    )
    benchmark = run.record["benchmark"]
    totals = (int(benchmark["subjects"]), int(benchmark["images"]))
    about = _about(run, chosen)
    return Bundle(source, k, about, _scores(points), groups, totals, tuple(cells))


def _scores(points: Sequence[Threshold]) -> dict[str, float]:
    return {point.label: float(point.value) for point in points}


def _about(run: ReportData, arm: str) -> dict[str, Any]:
    benchmark = run.record["benchmark"]
    told = benchmark.get("about") or {}
    matcher = next(each for each in run.record["matchers"] if each.get("arm", "") == arm)
    return {
        "matcher": str(matcher.get("name", "")),
        "fingerprint": _fingerprint(matcher),
        "set": str(benchmark.get("name", "")),
        "synthetic": bool(benchmark.get("synthetic")),
        "labels": str(told.get("grouped_by", "")),
        "label_source": str(told.get("label_provenance", "not recorded")),
        "policy": str(run.rates["policy"].iloc[0]) if len(run.rates) else "",
        "ordered": bool(run.ordered),
        "level": float(run.rates["level"].iloc[0]) if len(run.rates) else 0.95,
    }


def _fingerprint(matcher: Mapping[str, Any]) -> str:
    """Hash of weights, preprocessing and detector as recorded, "" where nothing is."""
    told = {key: matcher[key] for key in ("identity", "preprocess", "detector") if key in matcher}
    text = json.dumps(told, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest() if told else ""


def _cells(
    rates: pd.DataFrame,
    kind: str,
    points: Sequence[str],
    groups: Sequence[str],
    small: Bools,
    k: int,
) -> list[Cell]:
    """All cells of one kind at all points, then margins and totals."""
    rows: list[dict[str, Any]] = [
        {str(key): value for key, value in row.items()} for row in rates.to_dict("records")
    ]
    if kind == "FTE":
        # the same at every operating point
        first = rows[0]["operating_point"] if rows else ""
        rows = [row | {"operating_point": ""} for row in rows if row["operating_point"] == first]
    by_cell = {
        (row["operating_point"], str(row["probe_group"]), str(row["reference_group"])): row
        for row in rows
    }
    names = list(dict.fromkeys(key[1:] for key in by_cell if key[1] != ALL))
    if not names:
        return []
    index = [[by_cell[point, *name] for name in names] for point in points]
    errors = np.array([[int(row["errors"]) for row in rows] for rows in index], dtype=np.int64)
    comparisons = np.array([int(row["comparisons"]) for row in index[0]], dtype=np.int64)
    of_small = dict(zip(groups, small, strict=True))
    sensitive = np.array([of_small[a] or of_small[b] for a, b in names], dtype=np.bool_)
    inside = [np.array([g in name for name in names]) for g in groups] if kind == "FMR" else []
    margins = np.array([*inside, np.ones(len(names), dtype=np.bool_)], dtype=np.bool_)
    exposed = ~sensitive & ((comparisons >= k) | (comparisons == 0))
    table = CountTable(errors, comparisons, margins, exposed)
    held = suppress(table, k, sensitive=sensitive)
    found = []
    for at, point in enumerate(points):
        for c, name in enumerate(names):
            effective = worth(index[at][c])
            found.append(
                Cell(
                    kind, point, *name,
                    None if held.cells[at, c] else int(errors[at, c]),
                    int(comparisons[c]) if exposed[c] else None,
                    None if held.cells[at, c] else effective,
                )
            )  # fmt: skip
        whole = worth(by_cell[point, ALL, ALL]) if (point, ALL, ALL) in by_cell else None
        found += _margins(kind, point, at, table, held, groups, small, whole, k)
    return found


def _margins(
    kind: str,
    point: str,
    at: int,
    table: CountTable,
    held: Suppression,
    groups: Sequence[str],
    small: Bools,
    effective: float | None,
    k: int,
) -> list[Cell]:
    totals = table.totals
    unseen = ~table.exposed
    told_apart = unseen.sum() == 1 or (unseen.any() and table.comparisons[unseen].sum() < k)
    found = []
    for margin, members in enumerate(table.margins):
        last = margin == len(table.margins) - 1
        name = ALL if last else groups[margin]
        hidden = bool(held.margins[at, margin])
        secret = told_apart if last else small[margin]
        counted = None if secret else int(table.comparisons[members].sum())
        errors = None if hidden else int(totals[at, margin])
        told = effective if last and not hidden else None
        found.append(Cell(kind, point, name, ALL, errors, counted, told))
    return found


def worth(row: Mapping[str, Any]) -> float | None:
    """Comparisons n with which Wilson's interval is no narrower than that of a RateTable row.

    Its ends solve (x - p)^2 = z^2 x (1 - x) / n; the smaller n of both ends, five digits.
    """
    rate, z = float(row["rate"]), float(stats.norm.ppf((1 + float(row["level"])) / 2))
    found = [
        z**2 * end * (1 - end) / (end - rate) ** 2
        for end in (float(row["low"]), float(row["high"]))
        if 0 < end < 1 and end != rate
    ]
    return float(f"{min(found):.5g}") if found and np.isfinite(rate) else None
