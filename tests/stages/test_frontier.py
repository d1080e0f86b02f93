"""The frontier against loops over the tally, its order, and its figure."""

from __future__ import annotations

import numpy as np
import pytest

from frbench.errors import InputError
from frbench.frontier import FRONTIER_COLUMNS, FrontierSpec, frontier, grid
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.page.frontier import frontier_figure, frontier_table
from frbench.watchlist import Watchlist
from frbench.watchlist_forecast import forecast
from worlds import population, threshold_at


def world(seed=0):
    """Two groups, every image compared with every other."""
    rng = np.random.default_rng(seed)
    return population(rng, fmr=[0.02, 0.06], persons=[25, 25], images=3, crossing=True, fnmr=0.1)


def table_of(tally, **spec):
    """The frontier with one operating point at 0.25."""
    return frontier(
        tally,
        [threshold_at(0.25)],
        spec=FrontierSpec(**spec),
        interval=WilsonEffective(),
        rng=np.random.default_rng(0),
    )


def test_every_row_is_what_a_loop_counts():
    """Highest group's FMR and pooled TMR, by counting comparisons one by one."""
    tally = world()
    table = table_of(tally, points=6)
    assert list(table.columns) == list(FRONTIER_COLUMNS)
    for _, row in table.iterrows():
        wrong = [0, 0]
        for a, b, score in zip(tally.tail.first, tally.tail.second, tally.tail.score, strict=True):
            if tally.group[a] == tally.group[b] and score >= row["threshold"]:
                wrong[tally.group[a]] += 1
        within = 75 * 74 // 2 - 25 * 3
        assert row["worst_fmr"] == pytest.approx(max(wrong) / within)
        assert row["errors"] == max(wrong)
        assert row["tmr"] == pytest.approx(np.mean(tally.mated.score >= row["threshold"]))
        assert row["worst_low"] <= row["worst_fmr"] <= row["worst_high"]
        assert row["least_tmr"] <= row["tmr"] + 1e-12
    assert table["threshold"].is_monotonic_increasing
    assert table["tmr"].is_monotonic_decreasing
    assert table["worst_fmr"].is_monotonic_decreasing


def test_the_operating_point_is_on_the_curve():
    """Its row carries its name, and the grid reaches from the floor to the highest score."""
    tally = world()
    table = table_of(tally, points=8)
    (named,) = table[table["operating_point"] != ""].to_dict("records")
    assert named["threshold"] == 0.25
    values = grid(tally, 8, [])
    assert values[-1] == tally.tail.score.max()
    assert values[0] >= tally.floor


def test_a_watchlist_adds_the_worst_fpir():
    """The same number as the forecast gives at that threshold."""
    tally = world()
    table = table_of(tally, points=2, watchlist={"g0": 30, "g1": 70})
    row = table[table["operating_point"] != ""].iloc[0]
    rates = forecast(
        tally, 0.25, Watchlist({"g0": 30, "g1": 70}), interval=WilsonEffective(),
        rng=np.random.default_rng(0),
    )["rate"]  # fmt: skip
    assert row["worst_fpir"] == pytest.approx(rates.max())
    assert row["watchlist_size"] == 100
    assert row["fpir_low"] <= row["worst_fpir"] <= row["fpir_high"]


def test_the_interval_of_the_highest_rate_covers_it():
    """Four equal groups: the highest measured rate is too high, its interval holds nonetheless."""
    hits = 0
    for seed in range(60):
        tally = population(np.random.default_rng(seed), fmr=[0.03] * 4, persons=[25] * 4, images=2)
        table = frontier(
            tally, [threshold_at(0.0)], spec=FrontierSpec(points=1), interval=WilsonEffective(),
            rng=np.random.default_rng(0),
        )  # fmt: skip
        row = table[table["threshold"] == 0.0].iloc[0]
        hits += row["worst_low"] <= 0.03 <= row["worst_high"]
    assert hits >= 54


def test_one_group_or_no_points_has_no_frontier():
    """Nothing to compare, nothing drawn; a negative number of points is refused."""
    single = population(np.random.default_rng(0), fmr=[0.03], persons=[20])
    assert table_of(single).empty
    assert table_of(world(), points=0).empty
    with pytest.raises(InputError, match="must be a whole number"):
        FrontierSpec(points=-1)


def test_the_figure_is_described_and_marks_the_operating_point():
    """A name for screen readers, the curve, one dot, and a table with the same numbers."""
    table = table_of(world(), points=20, watchlist={"g0": 10})
    figure = frontier_figure(table, uid="x", title="A title")
    assert 'role="img"' in figure
    assert figure.count("<circle") == 1
    assert "score &gt;= 0.25" in figure
    shown = frontier_table(table, "caption")
    assert len(shown.columns) == len(shown.rows[0]) == 10
    assert any(row[-1].text == "score >= 0.25" for row in shown.rows)


@pytest.mark.parametrize("watchlist", [500, {"north": -5}, {"north": 0}, {"north": 1.5}])
def test_an_impossible_watchlist_is_refused_with_the_configuration(watchlist):
    """Said before anything is read, not when the matcher has run."""
    with pytest.raises(InputError, match="watchlist"):
        FrontierSpec(watchlist=watchlist)
