"""Bundles of counts: nothing small in them can be recovered, and pooled they give honest rates."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from test_evaluate import frbench
from test_report import evaluated

from frbench.errors import InputError
from frbench.exchange.counts import Bundle, Cell, bundle_of, worth
from frbench.exchange.files import read_bundle, write_bundle
from frbench.exchange.forces import pool
from frbench.exchange.suppression import CountTable, possible, small_groups, suppress
from frbench.intervals.wilson import score_interval
from frbench.stored_run import read_report_data
from reporting_fixtures import HOSTILE

ABOUT = {"matcher": "m", "fingerprint": "f", "policy": "all", "ordered": False, "labels": "sex"}


def table_of(groups: int, errors: np.ndarray, comparisons: np.ndarray) -> CountTable:
    """A table of all pairs of groups with a margin per group and a total."""
    pairs = list(itertools.combinations_with_replacement(range(groups), 2))
    margins = [[g in pair for pair in pairs] for g in range(groups)] + [[True] * len(pairs)]
    exposed = np.ones(len(pairs), dtype=bool)
    return CountTable(errors, comparisons, np.array(margins), exposed)


@st.composite
def tables(draw: st.DrawFn, *, most_groups: int, most: int) -> CountTable:
    """Counts at two thresholds, the higher with no more errors than the lower."""
    groups = draw(st.integers(2, most_groups))
    cells = groups * (groups + 1) // 2
    low = draw(st.lists(st.integers(0, most), min_size=cells, max_size=cells))
    high = [draw(st.integers(0, count)) for count in low]
    more = draw(st.lists(st.integers(6, 12), min_size=cells, max_size=cells))
    errors = np.array([low, high], dtype=np.int64)
    return table_of(groups, errors, np.array(low, dtype=np.int64) + np.array(more))


@settings(deadline=None, max_examples=25)
@given(tables(most_groups=2, most=9))
def test_no_small_count_is_left_with_few_values(table: CountTable) -> None:
    """Every table that fits what is shown is written down; each secret keeps k + 1 values."""
    k = 5
    held = suppress(table, k)
    every = np.stack(
        np.meshgrid(*[np.arange(n + 1) for n in table.comparisons], indexing="ij"), axis=-1
    ).reshape(-1, 3)
    fitting = []
    for point in range(2):
        keep = np.ones(len(every), dtype=bool)
        for cell in np.flatnonzero(~held.cells[point]):
            keep &= every[:, cell] == table.errors[point, cell]
        for margin in np.flatnonzero(~held.margins[point]):
            sums = every[:, table.margins[margin]].sum(axis=1)
            keep &= sums == table.totals[point, margin]
        fitting.append(every[keep])
    first, second = fitting
    falling = (first[:, None, :] >= second[None, :, :]).all(axis=2)
    left = first[falling.any(axis=1)], second[falling.any(axis=0)]
    for point, cell in np.argwhere(table.small(k)):
        values = left[point][:, cell]
        assert held.cells[point, cell]
        assert values.max() - values.min() >= min(k, table.comparisons[cell])
        assert possible(table, held, point, cell) == (values.min(), values.max())


@settings(deadline=None, max_examples=15)
@given(tables(most_groups=5, most=30))
def test_the_linear_system_does_not_give_it_away(table: CountTable) -> None:
    """In the equations of shown cells and margins no secret is determined, nor tightly bounded."""
    k = 10
    table = replace(table, comparisons=table.comparisons + 40)
    held = suppress(table, k)
    cells = table.errors.shape[1]
    for point in range(2):
        rows, right = [], []
        for cell in np.flatnonzero(~held.cells[point]):
            rows.append(np.eye(cells)[cell])
            right.append(table.errors[point, cell])
        for margin in np.flatnonzero(~held.margins[point]):
            rows.append(table.margins[margin].astype(float))
            right.append(table.totals[point, margin])
        if not rows:
            continue
        matrix = np.array(rows)
        kernel = np.eye(cells) - np.linalg.pinv(matrix) @ matrix
        bounds = [(0, n) for n in table.comparisons]
        for cell in np.flatnonzero(table.small(k)[point]):
            assert np.abs(kernel[cell]).max() > 1e-9
            ends = [
                optimize.linprog(
                    sign * np.eye(cells)[cell], A_eq=matrix, b_eq=right, bounds=bounds
                ).x[cell]
                for sign in (1, -1)
            ]
            assert ends[1] - ends[0] >= k - 1e-6


def test_a_lone_small_cell_takes_another_with_it() -> None:
    """With a shown total, one held-back cell alone would follow by subtraction."""
    table = table_of(2, np.array([[40, 3, 60]]), np.array([1000, 1000, 1000]))
    held = suppress(table, 10)
    assert held.cells[0, 1]
    assert held.cells[0].sum() == 2
    assert not held.margins[0, -1]
    assert held.cells[0].tolist() == [True, True, False]


def test_nothing_is_held_back_without_need() -> None:
    """Large counts and zeros are all shown."""
    table = table_of(2, np.array([[40, 0, 60]]), np.array([1000, 1000, 1000]))
    held = suppress(table, 10)
    assert not held.cells.any()
    assert not held.margins.any()


def test_groups_of_few_persons_hide_together() -> None:
    """A small group is never alone, and the held-back groups have k persons or more."""
    assert small_groups(np.array([30, 40, 50]), 10).tolist() == [False] * 3
    assert small_groups(np.array([3, 40, 50]), 10).tolist() == [True, True, False]
    assert small_groups(np.array([3, 2, 50]), 10).tolist() == [True, True, True]
    assert small_groups(np.array([3, 9, 50]), 10).tolist() == [True, True, False]
    assert small_groups(np.array([0, 40, 50]), 10).tolist() == [False] * 3


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two forces' runs at one fixed threshold, with hostile group names."""
    folder = tmp_path_factory.mktemp("forces")
    fixed = (
        *("operating_point=fixed", "operating_point.fixed=[0.3]"),
        "operating_point.target_fmr=[]",
    )
    names = (HOSTILE[0], HOSTILE[6])
    return [evaluated(folder / each, "run", *fixed, groups=names) for each in ("north", "south")]


def exported(runs: list[Path], folder: Path) -> list[Path]:
    """The bundles of both, through the command line."""
    files = []
    for run, name in zip(runs, ("North", "South"), strict=True):
        files.append(folder / f"{name}.json")
        done = frbench(
            "exchange", "export", str(run), f"output={files[-1]}", f"source={name}", cwd=folder
        )
        assert done.returncode == 0, done.stderr
    return files


def test_a_bundle_holds_counts_and_nobody(runs: list[Path], tmp_path: Path) -> None:
    """Counts are the run's own; no id, path, score or template is in the file."""
    (file, _) = exported(runs, tmp_path)
    text = file.read_text("utf-8")
    bundle = read_bundle(file)
    rates = pd.read_parquet(runs[0] / "rates.parquet")
    keys = ["kind", "probe_group", "reference_group"]
    errors = rates.set_index(keys)["errors"].to_dict()
    shown = 0
    for cell in bundle.cells:
        key = (cell.kind, cell.probe_group, cell.reference_group)
        if cell.errors is not None and key in errors:
            assert cell.errors == errors[key]
            assert cell.errors == 0 or cell.errors >= 10
            shown += 1
    assert shown >= 4
    assert bundle.totals == (40, 80)
    for secret in (str(runs[0].parent), "scores.csv", '"p7"', '"i7"'):
        assert secret not in text


def test_both_forces_together(runs: list[Path], tmp_path: Path) -> None:
    """Pooled counts are the sums, on a page of their own with the labels as text."""
    files = exported(runs, tmp_path)
    done = frbench(
        "exchange", "pool", *map(str, files), f"output={tmp_path / 'both'}", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    pooled = pd.read_parquet(tmp_path / "both" / "pooled.parquet")
    total = pooled[(pooled["kind"] == "FMR") & (pooled["probe_group"] == "all")].iloc[0]
    tables = [pd.read_parquet(run / "rates.parquet") for run in runs]
    expected = [t[(t["kind"] == "FMR") & (t["probe_group"] == "all")].iloc[0] for t in tables]
    assert total["errors"] == sum(row["errors"] for row in expected)
    assert total["comparisons"] == sum(row["comparisons"] for row in expected)
    assert total["low"] > min(row["low"] for row in expected)
    assert total["high"] < max(row["high"] for row in expected)
    page = (tmp_path / "both" / "report.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    record = json.loads((tmp_path / "both" / "run.json").read_text("utf-8"))
    assert [each["source"] for each in record["bundles"]] == ["North", "South"]
    shown = frbench("exchange", "import", str(files[0]), cwd=tmp_path)
    assert (shown.returncode, "held back" in shown.stdout) == (0, True)


def test_a_changed_or_impossible_bundle_is_refused(runs: list[Path], tmp_path: Path) -> None:
    """A changed digit, more errors than comparisons, and another format are sentences."""
    (file, _) = exported(runs, tmp_path)
    text = file.read_text("utf-8")
    file.write_text(text.replace('"source": "North"', '"source": "Mercia"'), "utf-8")
    with pytest.raises(InputError, match="changed since it was written"):
        read_bundle(file)
    bad = Bundle("x", 10, dict(ABOUT), {"a": 0.5}, (), (1, 1), (cell("g", 9, 5),))
    write_bundle(bad, tmp_path / "bad.json")
    with pytest.raises(InputError, match="9 errors in 5 comparisons"):
        read_bundle(tmp_path / "bad.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match="no bundle"):
        read_bundle(tmp_path / "other.json")
    with pytest.raises(InputError, match="a handful"):
        bundle_of(read_report_data(runs[0]), source="x", k=2)


def cell(group: str, errors: int | None, comparisons: int | None, effective: float = 100.0) -> Cell:
    """A within-group cell of false matches."""
    return Cell("FMR", "a", group, group, errors, comparisons, effective)


def bundle(source: str, cells: list[Cell], **about: object) -> Bundle:
    """A bundle of these cells."""
    return Bundle(source, 10, ABOUT | about, {"a": 0.5}, (), (99, 99), tuple(cells))


def test_what_is_not_comparable_is_refused() -> None:
    """Another matcher, threshold or policy, and one source twice, are named."""
    one = bundle("A", [cell("g", 20, 1000)])
    for other, words in (
        (bundle("A", [cell("g", 20, 1000)]), "twice"),
        (bundle("B", [], matcher="other"), "matcher"),
        (bundle("B", [], policy="same_sex"), "policy"),
        (replace(bundle("B", []), thresholds={"a": 0.6}), "fixed threshold"),
        (replace(bundle("B", []), thresholds={"b": 0.6}), "no operating point"),
        (bundle("B", [], synthetic=True), "synthetic"),
    ):
        with pytest.raises(InputError, match=words):
            pool([one, other])


def test_held_back_counts_are_told() -> None:
    """A cell that one force holds back is marked, with the rate if it had no errors."""
    a, b = [cell("g", 20, 1000)], [cell("g", None, 3000)]
    row = pool([bundle("A", a), bundle("B", b)]).iloc[0]
    assert (row["sources"], row["held_back"], row["status"]) == (1, 1, "selected")
    assert row["rate"] == 0.02
    assert row["rate_at_least"] == 0.005


def test_independent_forces_add_up() -> None:
    """With independent comparisons, pooling equals Wilson's interval of the summed counts."""
    a, b = [cell("g", 20, 1000, 1000)], [cell("g", 60, 3000, 3000)]
    row = pool([bundle("A", a), bundle("B", b)]).iloc[0]
    whole = score_interval(np.array([0.02]), np.array([4000.0]), level=0.95)
    assert (row["low"], row["high"]) == pytest.approx((whole.low[0], whole.high[0]), rel=1e-9)
    none = pool(
        [bundle("A", [cell("g", 0, 1000, 50)]), bundle("B", [cell("g", 0, 1000, 50)])]
    ).iloc[0]
    assert none["high"] == pytest.approx(
        stats.norm.ppf(0.975) ** 2 / (100 + stats.norm.ppf(0.975) ** 2)
    )


def test_the_effective_number_gives_the_interval_back() -> None:
    """Wilson's interval with it holds the run's own, and touches it at one end."""
    for low, rate, high in ((0.001, 0.002, 0.005), (0.1, 0.2, 0.3), (0.0, 0.0, 0.08)):
        number = worth({"rate": rate, "low": low, "high": high, "level": 0.95})
        assert number is not None
        found = score_interval(np.array([rate]), np.array([number]), level=0.95)
        assert found.low[0] <= low * 1.0001
        assert found.high[0] >= high * 0.9999
        touching = min(abs(found.low[0] - low), abs(found.high[0] - high))
        assert touching <= 1e-4 * high


def test_pooled_intervals_cover_and_equal_forces_look_equal() -> None:
    """Of 1,500 worlds, 93 to 97 % of the intervals hold the truth; 3 to 7 % see a difference."""
    rng = np.random.default_rng(3)
    truth, factor = 0.05, 7
    bundles = []
    for source, size in (("A", 800), ("B", 1500), ("C", 3000)):
        hits = rng.binomial(size, truth, size=1500)
        cells = [cell(f"g{i}", int(h) * factor, size * factor, size) for i, h in enumerate(hits)]
        bundles.append(bundle(source, cells))
    table = pool(bundles)
    covered = ((table["low"] <= truth) & (truth <= table["high"])).mean()
    assert 0.93 <= covered <= 0.97
    assert 0.03 <= (table["q_p"] < 0.05).mean() <= 0.07


def test_forces_that_differ_are_told_apart() -> None:
    """With rates of 1, 2 and 4 % the test sees it, and another force may lie anywhere between."""
    cells = [[cell("g", n, 50000, 5000)] for n in (500, 1000, 2000)]
    row = pool([bundle(name, each) for name, each in zip("ABC", cells, strict=True)]).iloc[0]
    assert row["status"] == "forces_differ"
    assert row["another_low"] <= 0.01
    assert row["another_high"] >= 0.04
    assert row["tau"] == pytest.approx(np.std([0.01, 0.02, 0.04], ddof=1), rel=0.1)
